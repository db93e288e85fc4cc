/** The web server of docs/install.md, as it stands there. */
import { spawn } from 'node:child_process';
import { processEnvironment } from '../../builder/process/run.ts';
import { filledIn, theBlock, type DocumentBlock } from '../docs/blocks.ts';

/** Serves `folder` on 127.0.0.1 while `body` runs. */
export async function withServer(
  page: readonly DocumentBlock[],
  folder: string,
  port: number,
  body: () => Promise<void>,
): Promise<void> {
  const command = filledIn(theBlock(page, 'Over the network', 'sh'), {
    'build/minimal': `'${folder}'`,
    '8080': `127.0.0.1:${port}`,
  });
  // A group of its own, which ends as a whole.
  const server = spawn('sh', ['-c', command], {
    detached: true,
    stdio: 'ignore',
    env: processEnvironment(),
  });
  try {
    await body();
  } finally {
    if (server.pid !== undefined) process.kill(-server.pid, 'SIGKILL');
  }
}
