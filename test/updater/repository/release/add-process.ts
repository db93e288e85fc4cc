/** `release add` as a process of its own, which a test kills: REPOSITORY KEYS BUILD IMAGES. */
import { INSTANT } from '../../../../updater/release/curve.ts';
import { loadTufKeys } from '../../../../updater/repository/keys/load.ts';
import { addReleases } from '../../../../updater/repository/release/add.ts';
import { readBuild } from '../../../../updater/repository/release/build.ts';

const [directory = '', keys = '', build = '', imageFolder = ''] = process.argv.slice(2);
await addReleases(directory, [await readBuild(build, undefined)], await loadTufKeys(keys), {
  ...{ channels: ['stable'], keep: 3, from: [], curve: INSTANT, barriers: [], notes: '' },
  withoutBrake: 'hold',
  imageFolder,
});
