/** The directory in memory: what a killed updater left there would count against the memory of the next one. */
import type { System } from '../../../system/system.ts';

/** `body` finds it empty, and leaves it so. */
export async function withScratch<Result>(
  system: System,
  directory: string,
  body: () => Promise<Result>,
): Promise<Result> {
  system.makeDirectory(directory, 0o700);
  empty(system, directory);
  try {
    return await body();
  } finally {
    empty(system, directory);
  }
}

function empty(system: System, directory: string): void {
  for (const name of system.list(directory)) {
    const path = `${directory}/${name}`;
    if (system.linkStatus(path)?.kind === 'directory') empty(system, path);
    system.remove(path);
  }
}
