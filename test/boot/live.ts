/** Exports of images that tests boot, and what a machine that runs from one must look like. */
import { truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { exportImage } from '../../builder/export/export.ts';
import type { FormatName } from '../../builder/export/formats.ts';
import type { SshAccess } from '../../lab/ssh.ts';
import type { Machine } from '../../lab/machine.ts';
import type { Architecture } from '../../spec/image.ts';
import { buildTestImage, testKeys, WORK } from './image.ts';
import { healthyMachine, ssh, withMachine, type TestMachineOptions } from './machine.ts';

export interface LiveOptions extends TestMachineOptions {
  /** What it must say that it runs from. */
  readonly medium: string;
}

/** Boots it, looks at it, and then at what `more` wants. */
export async function bootsLive(
  { medium, ...options }: LiveOptions,
  more: (machine: Machine, access: SshAccess) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await withMachine(options, async (machine) => {
    const { status, access } = await healthyMachine(machine, 'admin');
    expect(status).toMatchObject({ boot: 'healthy', slot: 'unknown' });
    expect(status.problems).toEqual([expect.stringContaining('live')]);
    if (options.trust !== 'none') expect(machine.console()).toContain('UEFI Secure Boot is enabled');
    const look = 'cat /run/slipway/boot/disk; dmsetup table root; grep " /var " /proc/mounts';
    const text = await ssh(access, `slip shell -T -- sh -c '${look}'`);
    expect(text.split('\n')[0]).toBe(medium);
    expect(text).toContain(` sha256 ${status.rootHash} `);
    expect(text).toMatch(/^tmpfs \/var tmpfs/m);
    await more(machine, access);
  });
}

/** The files of a format; of the image that most boot tests boot, if no other is named. */
export async function exported(
  format: FormatName,
  image = 'images/minimal.yaml',
  architecture: Architecture = 'amd64',
): Promise<readonly [string, ...string[]]> {
  const { disk } = await buildTestImage(image, [], architecture);
  const files = await exportImage(dirname(disk), [format], {
    keys: () => testKeys(),
    progress: { step: (_name, work) => work(), bytes: () => undefined, note: () => undefined },
  });
  const [first, ...others] = files.map(({ path }) => path);
  if (first === undefined) throw new Error(`${format} has no files`);
  return [first, ...others];
}

/** What a machine's disk is before anything is installed. */
export async function blankDisk(sizeBytes: number): Promise<string> {
  const path = join(WORK, `blank-${sizeBytes}.raw`);
  await writeFile(path, '');
  await truncate(path, sizeBytes);
  return path;
}
