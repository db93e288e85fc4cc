/** Directories with their owner and mode: made where missing, corrected where different, untouched (and no program started) where right. */
import type { PreparedDirectory } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT, PROGRAMS } from './paths.ts';

/** Calls `done` with what could not be made. */
export function prepareDirectories(
  system: System,
  directories: readonly PreparedDirectory[],
  done: (failed: readonly string[]) => void,
): void {
  const failed: string[] = [];
  const repairs: (readonly string[])[] = [];
  for (const wanted of directories) {
    if (!system.makeDirectory(wanted.path, wanted.mode & 0o777)) {
      failed.push(wanted.path);
      continue;
    }
    const found = system.linkStatus(wanted.path);
    if (found?.kind !== 'directory') {
      failed.push(wanted.path);
      continue;
    }
    // The mode last: a change of owner clears set-id bits.
    const owner = found.uid !== wanted.uid || found.gid !== wanted.gid;
    if (owner) repairs.push(['chown', '-h', `${wanted.uid}:${wanted.gid}`, wanted.path]);
    if (found.mode !== wanted.mode || (owner && (wanted.mode & 0o6000) !== 0))
      repairs.push(['chmod', wanted.mode.toString(8), wanted.path]);
  }
  runNext();

  function runNext(): void {
    const argv = repairs.shift();
    if (argv === undefined) return done(failed);
    const ended = (code: number): void => {
      if (code !== 0) failed.push(argv[argv.length - 1]!);
      runNext();
    };
    const pid = system.spawn([PROGRAMS.busybox, ...argv], {
      environment: ENVIRONMENT,
      stderr: 2,
      onExit: ended,
    });
    if (pid < 0) ended(127);
  }
}
