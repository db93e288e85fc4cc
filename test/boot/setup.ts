/**
 * Once before all boot tests: keys, the lab's tools, and the image that most of them boot. Images of earlier runs are dropped (the code
 * that made them may have changed since); within a run, building one again is instant.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseAccelerator } from '../../lab/accelerator.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { buildTestImage, testKeys, WORK } from './image.ts';

export default async function setup(): Promise<void> {
  await chooseAccelerator('auto', await labToolbox());
  await rm(join(WORK, 'images'), { recursive: true, force: true });
  await testKeys();
  await buildTestImage('images/minimal.yaml');
}
