/** What an image with `update:` holds: its settings, the root of trust, and the updater's programs. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { ImageDefinition } from '../../spec/image.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { UPDATE_PATHS, type UpdateFile } from '../../spec/update.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { textFile } from '../tree/skeleton.ts';
import { readPrograms } from './programs.ts';

const COMPONENT = 'slipway';
const PROGRAMS = [UPDATE_PATHS.program, UPDATE_PATHS.poll, UPDATE_PATHS.switch].map((path) => basename(path));

/** The public half of the update keys, in a keys directory: the newest TUF root. */
export function updateRootPath(keysDirectory: string): string {
  return join(keysDirectory, 'tuf/root.json');
}

/** Nothing for an image without `update:`. Throws `update.no-root` when machines would have nothing to check updates against. */
export async function updateFiles(image: ImageDefinition, keysDirectory: string): Promise<TreeEntry[]> {
  if (image.update === undefined) return [];
  const { settings, caFile } = image.update;
  const config: UpdateFile = { format: '1.0', settings };
  return [
    textFile(UPDATE_PATHS.config, `${JSON.stringify(config)}\n`, COMPONENT),
    textFile(UPDATE_PATHS.root, await readUpdateRoot(keysDirectory), COMPONENT),
    ...(caFile === undefined ? [] : [textFile(UPDATE_PATHS.ca, await readFile(caFile, 'utf8'), COMPONENT)]),
    ...(await readPrograms(PROGRAMS)).map(({ name, text }) =>
      textFile(`${MACHINE_PATHS.programs}/${name}`, text, COMPONENT),
    ),
  ];
}

async function readUpdateRoot(keysDirectory: string): Promise<string> {
  const path = updateRootPath(keysDirectory);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new SlipwayError(
      'update.no-root',
      `the image has \`update:\`, but the keys in ${keysDirectory} hold no update root`,
      {
        cause,
        hint: `make the keys of the repository: slipway keys init ${keysDirectory} (it adds what is missing), or take \`update:\` out of the image`,
      },
    );
  }
  try {
    const { signed } = JSON.parse(text) as { signed?: { _type?: unknown } };
    if (signed?._type === 'root') return text;
  } catch {
    // Told below.
  }
  throw new SlipwayError('update.bad-root', `${path} is no TUF root`);
}
