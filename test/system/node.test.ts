/** The two doors do the same: what tests rely on. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createNodeSystem } from '../../system/node.ts';
import { runProgram, startProgram } from '../../system/program.ts';

const system = createNodeSystem();
const scratch = mkdtempSync(join(tmpdir(), 'slipway-node-system-'));
afterAll(() => rmSync(scratch, { recursive: true }));

test('a program that prints much is read to its end, with its exit code', async () => {
  const result = await runProgram(system, ['sh', '-c', 'head -c 300000 /dev/zero; exit 7']);
  expect(result.code).toBe(7);
  expect(result.stdout).toHaveLength(300_000);
});

test('a program gets a file as its input; one that prints too much is ended; one that is missing ends with 127', async () => {
  const path = join(scratch, 'input');
  writeFileSync(path, 'hello');
  const { stdout } = await runProgram(system, ['cat'], { stdinPath: path });
  expect(system.decode(stdout)).toBe('hello');
  await expect(runProgram(system, ['yes'], { limitBytes: 1000 })).rejects.toThrow(/more than 1000 bytes/);
  expect((await runProgram(system, ['/no/such/program'])).code).toBe(127);
});

test('a program whose output is no longer wanted is ended', async () => {
  const program = startProgram(system, ['yes']);
  expect(program.read(10)).toHaveLength(10);
  expect(await program.end()).toBeGreaterThan(0);
  expect(program.read(10)).toHaveLength(0);
});

test('bytes at offsets: what was written is read, nothing behind the end', () => {
  const fd = system.open(join(scratch, 'disk'), { access: 'read-write', create: { mode: 0o600 } });
  expect(system.writeAt(fd, 4096, Uint8Array.of(1, 2, 3))).toBe(true);
  expect(system.readAt(fd, 4095, 10)).toEqual(Uint8Array.of(0, 1, 2, 3));
  expect(system.readAt(fd, 5000, 10)).toEqual(new Uint8Array(0));
  system.close(fd);
});
