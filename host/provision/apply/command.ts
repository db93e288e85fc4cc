/** Programs of the machine, with what they say: a reason for people when they fail. Never given secrets as arguments. */
import { concatenate } from '../../../system/bytes.ts';
import type { System } from '../../../system/system.ts';
import { ENVIRONMENT, PROGRAMS } from '../../slipd/paths.ts';

export interface CommandResult {
  readonly code: number;
  /** The last line of both streams. */
  readonly says: string;
}

const LIMIT_BYTES = 65_536;

export async function run(system: System, argv: readonly string[], stdin?: number): Promise<CommandResult> {
  const ends = system.pipe();
  let pid = -1;
  const exited = new Promise<number>((resolve) => {
    pid = system.spawn(argv, {
      stdout: ends.write,
      stderr: ends.write,
      environment: ENVIRONMENT,
      ...(stdin === undefined ? {} : { stdin }),
      onExit: resolve,
    });
    if (pid < 0) resolve(127);
  });
  system.close(ends.write);
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const bytes = system.read(ends.read, 16_384);
    if (!(bytes instanceof Uint8Array) || bytes.length === 0) break;
    // What is too much is read, so that it goes on, and forgotten.
    total += bytes.length;
    if (total <= LIMIT_BYTES) chunks.push(bytes);
  }
  system.close(ends.read);
  const code = await exited;
  const lines = system.decode(concatenate(chunks)).trim().split('\n');
  return { code, says: clean(lines.at(-1) ?? '') || `exit code ${code}` };
}

export function busybox(system: System, argv: readonly string[], stdin?: number): Promise<CommandResult> {
  return run(system, [PROGRAMS.busybox, ...argv], stdin);
}

function clean(line: string): string {
  // eslint-disable-next-line no-control-regex
  const plain = line.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
  return plain.slice(0, 200).trim();
}
