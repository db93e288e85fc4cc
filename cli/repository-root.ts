/** The root that a command trusts a repository by, when it needs no private key. */
import type { Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../spec/error.ts';
import { rootPath } from '../updater/repository/keys/directory.ts';
import { metadataName } from '../updater/repository/repository/layout.ts';

export interface RootFlags {
  readonly keys: string;
  readonly root?: string;
}

export function withRoot(command: Command): Command {
  return command
    .option('--root <file>', 'root.json that is trusted to begin with (default: the first one of the keys)')
    .option('--keys <dir>', 'keys directory', process.env['SLIPWAY_KEYS'] ?? 'keys');
}

/** `--root`, else the first of the keys directory, else the repository's own first one, which is then said. */
export async function trustedRoot(directory: string, flags: RootFlags): Promise<Uint8Array> {
  if (flags.root !== undefined)
    return readFile(flags.root).catch((cause: unknown) => {
      throw new SlipwayError('usage.root', `cannot read ${flags.root}`, { cause });
    });
  const first = await readFile(rootPath(flags.keys, 1)).catch(() => undefined);
  if (first !== undefined) return first;
  const own = await readFile(join(directory, metadataName('root', 1))).catch((cause: unknown) => {
    throw new SlipwayError('repository.missing', `there is no repository in ${directory}`, {
      cause,
      hint: `make one: slipway repo init ${directory}`,
    });
  });
  process.stderr.write(
    'There is neither --root nor a keys directory: the repository’s own first root is trusted.\n',
  );
  return own;
}
