/** The TPM of a machine: swtpm, with its state in a folder of its own, as a chip keeps it on its board. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../spec/error.ts';
import { startChild, type Child } from './child.ts';
import type { Toolbox } from './toolbox.ts';

export interface Tpm {
  /** Where QEMU finds it. */
  readonly socket: string;
  readonly child: Child;
}

const START_LIMIT_MS = 20_000;
const LOOK_AGAIN_MS = 50;

/** `state`: what it keeps, made when missing. `directory`: for its socket, whose path has to be short. It ends with QEMU. */
export async function startTpm(toolbox: Toolbox, state: string, directory: string): Promise<Tpm> {
  await mkdir(state, { recursive: true, mode: 0o700 });
  const socket = join(directory, 'tpm');
  const child = startChild([
    ...toolbox.command('swtpm'),
    ...[
      'socket',
      '--tpm2',
      '--tpmstate',
      `dir=${state}`,
      '--ctrl',
      `type=unixio,path=${socket}`,
      '--terminate',
    ],
  ]);
  const ended = child.exited.then(({ stderr }) => {
    throw new SlipwayError('lab.tpm', `swtpm ended before the machine was there: ${stderr}`);
  });
  // Heard by nobody, once the machine runs.
  ended.catch(() => undefined);
  const limit = Date.now() + START_LIMIT_MS;
  while (!existsSync(socket)) {
    if (Date.now() > limit) {
      child.kill();
      throw new SlipwayError('lab.tpm', 'swtpm did not listen in time');
    }
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))]);
  }
  return { socket, child };
}
