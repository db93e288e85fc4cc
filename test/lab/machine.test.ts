/** Real QEMU, without a guest that could boot: what it says when it cannot start. */
import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startMachine, type Machine, type MachineOptions } from '../../lab/machine.ts';

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'slipway-lab-'));
  await writeFile(join(directory, 'disk.raw'), '');
  await truncate(join(directory, 'disk.raw'), 1024 * 1024);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function start(change: Partial<MachineOptions>): Promise<Machine> {
  return startMachine({
    disk: join(directory, 'disk.raw'),
    memoryMiB: 64,
    cpus: 1,
    console: join(directory, 'console.log'),
    extraArguments: ['-S'],
    ...change,
  });
}

test('a second machine on one overlay is refused with what QEMU says, and what to do', async () => {
  const overlay = join(directory, 'disk.qcow2');
  const first = await start({ overlay });
  try {
    await expect(start({ overlay })).rejects.toMatchObject({
      code: 'lab.qemu',
      message: expect.stringMatching(/disk\.qcow2.*Failed to get .*lock/s) as string,
      hint: expect.stringContaining('another machine') as string,
    });
  } finally {
    await first.close();
  }
});

test('a port that is taken', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    await expect(start({ ports: [{ host: port, guest: 80 }] })).rejects.toMatchObject({
      code: 'lab.qemu',
      hint: expect.stringContaining('port is in use') as string,
    });
  } finally {
    server.close();
  }
});
