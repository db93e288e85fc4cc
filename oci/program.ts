/** Finding a container's programs at build time, where a missing one is an error with a hint and not a service that never starts. */
import * as posix from '../spec/posix-path.ts';
import { SlipwayError } from '../spec/error.ts';
import type { OciMount } from './runtime-spec.ts';
import type { RootView } from './root-view.ts';

export interface ProgramSearch {
  readonly service: string;
  readonly root: RootView;
  readonly mounts: readonly OciMount[];
  /** The container's PATH. */
  readonly path: string;
  readonly cwd: string;
  /** Which key names the program, for the error. */
  readonly key: string;
}

/** Throws `bundle.program` unless argv's first word is an executable file of the root, or may be one that a mount brings. */
export function requireProgram(program: string, search: ProgramSearch): void {
  const candidates = program.includes('/')
    ? [posix.resolve(search.cwd, program)]
    : search.path.split(':').map((directory) => posix.resolve(search.cwd, directory, program));
  let notExecutable: string | undefined;
  for (const candidate of candidates) {
    if (isMounted(candidate, search.mounts)) return;
    const entry = search.root.resolve(candidate);
    if (entry?.type !== 'file') continue;
    if ((entry.mode & 0o111) !== 0) return;
    notExecutable = candidate;
  }
  if (notExecutable !== undefined) {
    throw new SlipwayError(
      'bundle.program',
      `service ${search.service}: ${search.key}: ${notExecutable} is not executable`,
      { hint: 'give the file mode 0755' },
    );
  }
  throw missingProgram(program, search);
}

function isMounted(path: string, mounts: readonly OciMount[]): boolean {
  return mounts.some(
    ({ destination, type }) =>
      type === 'bind' && (path === destination || path.startsWith(`${destination}/`)),
  );
}

function missingProgram(program: string, search: ProgramSearch): SlipwayError {
  const shell = program === '/bin/sh' || program === 'sh';
  const where = program.includes('/') ? '' : ` in PATH (${search.path})`;
  return new SlipwayError(
    'bundle.program',
    `service ${search.service}: ${search.key}: the root file system has no ${program}${where}`,
    {
      hint: shell
        ? 'there is no shell in this root: write the command as a list, without CMD-SHELL, or add a package with a shell (busybox, dash)'
        : "add the package that brings it to the service's x-slipway.packages, or correct the path",
    },
  );
}
