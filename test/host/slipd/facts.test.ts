import { expect, test } from 'vitest';
import { bootProblems } from '../../../host/slipd/facts.ts';
import { createNodeSystem } from '../../../system/node.ts';
import type { System } from '../../../system/system.ts';

/** A machine whose boot scripts left these files in /run/slipway/boot. */
function bootLeft(files: Readonly<Record<string, string>>): System {
  return {
    ...createNodeSystem(),
    readText: (path) => files[path.replace(/^\/run\/slipway\/boot\//, '')],
  };
}

test.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
  ['went well', { slot: 'a\n', trial: '0\n' }, []],
  [
    'was given another command line',
    { tampered: "the kernel's command line is not the signed one: quiet\n" },
    ["tampered: the kernel's command line is not the signed one: quiet"],
  ],
  [
    'could not adapt the partition table',
    { 'disk-problem': 'the partition table of vda could not be adapted\n' },
    ['disk: the partition table of vda could not be adapted'],
  ],
  [
    'could not write down why',
    { 'disk-problem': '', 'state-problem': '' },
    ['disk: the partition table could not be adapted', 'state: the state partition is not in use'],
  ],
])('a boot that %s', (_, files, problems) => {
  expect(bootProblems(bootLeft(files))).toEqual(problems);
});
