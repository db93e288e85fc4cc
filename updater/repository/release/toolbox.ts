/** The zstd that payloads are made with: that of the builds, so that the same payloads come out everywhere; else this machine's own. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomic } from '../../../builder/cache/directory.ts';
import { LockedPackageSchema, type LockedPackage } from '../../../builder/lock/lock-file.ts';
import { openToolbox, type Toolbox } from '../../../builder/tools/toolbox.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { bookkeepingPath } from '../repository/layout.ts';

const Tools = z.array(LockedPackageSchema);

/** `tools`: those of a build's manifest. The repository remembers them, for when there is no build at hand. */
export async function payloadToolbox(
  directory: string,
  tools?: readonly LockedPackage[],
): Promise<Pick<Toolbox, 'command'>> {
  const path = bookkeepingPath(directory, 'tools.json');
  const named = tools === undefined ? undefined : closure(tools, ['zstd', 'libc6']);
  if (named !== undefined) await writeFileAtomic(path, `${JSON.stringify(named, undefined, 1)}\n`);
  const packages = named ?? (await remembered(path));
  if (packages === undefined) return { command: (program) => [program] };
  try {
    const toolbox = await openToolbox(packages);
    // Locked on a machine of another architecture, they do not run here.
    toolbox.command('zstd');
    return toolbox;
  } catch (error) {
    if (error instanceof SlipwayError && /^(tools|debian)\./.test(error.code))
      return { command: (program) => [program] };
    throw error;
  }
}

/** These packages and the libraries that they need. */
function closure(
  tools: readonly LockedPackage[],
  names: readonly string[],
): readonly LockedPackage[] | undefined {
  const found = new Set<LockedPackage>();
  const pending = [...names];
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    const item = tools.find((candidate) => candidate.name === name);
    if (item === undefined) return undefined;
    if (!found.has(item)) pending.push(...item.depends);
    found.add(item);
  }
  return [...found];
}

async function remembered(path: string): Promise<readonly LockedPackage[] | undefined> {
  try {
    return Tools.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return undefined;
  }
}
