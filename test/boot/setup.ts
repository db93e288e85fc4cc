/** Once before all boot tests: keys, the lab's tools, and the image that most of them boot. Later builds of the same are instant. */
import { chooseAccelerator } from '../../lab/accelerator.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { buildTestImage, testKeys } from './image.ts';

export default async function setup(): Promise<void> {
  await chooseAccelerator('auto', await labToolbox());
  await testKeys();
  await buildTestImage('images/minimal.yaml');
}
