/**
 * Once before all boot tests: keys, the lab's tools, and the image that most of them boot. Images of earlier runs are built
 * anew (the code that made them may have changed since); within a run, building one again is instant.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseAccelerator } from '../../lab/accelerator.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { buildTestImage, testKeys, WORK } from './image.ts';
import { UPDATE_WORK } from './update/versions.ts';

export default async function setup(): Promise<void> {
  await chooseAccelerator('auto', await labToolbox());
  for (const builds of [join(WORK, 'images'), join(UPDATE_WORK, 'builds')]) await forgetBuilds(builds);
  await testKeys();
  await buildTestImage('images/minimal.yaml');
}

/** Without its record a build is not taken for finished. The artifacts stay: another run of the tests may be using them. */
async function forgetBuilds(images: string): Promise<void> {
  const files = await readdir(images, { recursive: true }).catch(() => []);
  const records = files.filter((name) => name.endsWith('.build.json'));
  await Promise.all(records.map((name) => rm(join(images, name), { force: true })));
}
