/** A bundle on a stick: a directory that holds what a repository holds. */
import { SlipwayError } from '../../spec/error.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

/** Where a bundle is fetched from. Throws `update.bundle`. */
export function bundleMirror(system: System, path: string): string {
  const found = [path, inHome(path)].find(
    (place) => place?.startsWith('/') === true && system.status(place) !== undefined,
  );
  if (found === undefined)
    throw new SlipwayError('update.bundle', `there is no ${path} on this machine`, {
      hint: `give the absolute path of a bundle; what lies in a home directory is in ${PATHS.homes}, the rest of ${MACHINE_PATHS.state} is not seen from a login`,
    });
  return found;
}

/** Who logs in by SSH sees /home, which lies elsewhere on the machine. */
function inHome(path: string): string | undefined {
  return path.startsWith('/home/') ? `${PATHS.homes}${path.slice('/home'.length)}` : undefined;
}
