/** What an image with `provisioning:` holds: the owner's policy, what is built in, and the provisioner's programs. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { ImageDefinition } from '../../spec/image.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { PROVISIONING_PATHS } from '../../spec/provisioning.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { textFile } from '../tree/skeleton.ts';
import { readPrograms } from './programs.ts';

const COMPONENT = 'slipway';
const PROGRAMS = [
  ...[PROVISIONING_PATHS.program, PROVISIONING_PATHS.look].map((path) => basename(path)),
  'services.js',
];

/** Nothing for an image without `provisioning:`. */
export async function provisioningFiles(image: ImageDefinition): Promise<TreeEntry[]> {
  if (image.provisioning === undefined) return [];
  const { policy, userDataFile } = image.provisioning;
  return [
    textFile(PROVISIONING_PATHS.policy, `${JSON.stringify(policy)}\n`, COMPONENT),
    ...(userDataFile === undefined
      ? []
      : // Root alone: it may hold secrets.
        [textFile(PROVISIONING_PATHS.builtIn, await readFile(userDataFile, 'utf8'), COMPONENT, 0o600)]),
    ...(await readPrograms(PROGRAMS)).map(({ name, text }) =>
      textFile(`${MACHINE_PATHS.programs}/${name}`, text, COMPONENT),
    ),
  ];
}
