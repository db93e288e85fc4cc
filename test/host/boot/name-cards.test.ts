import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { scratchDirectory } from '../../builder/scratch.ts';

const scratch = scratchDirectory();
let count = 0;

interface Card {
  /** Below /sys/devices. */
  readonly device: string;
  readonly mac?: string;
  readonly port?: number;
}

/** Names cards that the kernel found in this order; what `ip` was asked for. */
function named(cards: readonly Card[]): string[] {
  const root = join(scratch, String(count++));
  const programs = join(root, 'bin');
  mkdirSync(join(root, 'sys/class/net'), { recursive: true });
  mkdirSync(programs);
  for (const [index, { device, mac = '52:54:00:00:00:01', port = 0 }] of cards.entries()) {
    const place = join(root, 'sys/devices', device);
    const card = join(place, 'net', `eth${index}`);
    mkdirSync(card, { recursive: true });
    symlinkSync(place, join(card, 'device'));
    writeFileSync(join(card, 'address'), `${mac}\n`);
    writeFileSync(join(card, 'dev_port'), `${port}\n`);
    symlinkSync(card, join(root, 'sys/class/net', `eth${index}`));
  }
  writeFileSync(join(programs, 'ip'), `#!/bin/sh\necho "$*" >>${root}/asked\n`);
  chmodSync(join(programs, 'ip'), 0o755);
  // Where the kernel's names are noted is a fixed place on the machine.
  const script = readFileSync(resolve('host/boot/name-cards'), 'utf8').replace(
    '/run/slipway/network',
    `${root}/run`,
  );
  writeFileSync(join(root, 'name-cards'), `${script}\nname_cards\n`);
  execFileSync('busybox', ['sh', join(root, 'name-cards')], {
    env: { PATH: `${programs}:/usr/bin:/bin`, SLIPWAY_SYSFS: join(root, 'sys') },
  });
  const asked = readFileSync(join(root, 'asked'), 'utf8').trim().split('\n');
  expect(readFileSync(join(root, 'run/kernel-names'), 'utf8').trim().split('\n')).toEqual(
    asked.map((line) => line.replace(/^link set (\S+) name (\S+)$/, '$1 $2')),
  );
  return asked.map((line) => line.replace(/^link set \S+ name /, ''));
}

describe('a card is called by its place', () => {
  const first = { device: 'pci0000:00/0000:00:03.0/virtio1' };
  const second = { device: 'pci0000:00/0000:00:1c.0/0000:0a:1f.0' };

  test('whichever of two the kernel found first', () => {
    expect(named([first, second])).toEqual(['enp0s3', 'enp10s31']);
    expect(named([second, first])).toEqual(['enp10s31', 'enp0s3']);
  });

  test.each<[string, Card, string]>([
    ['a second function', { device: 'pci0000:00/0000:04:00.1' }, 'enp4s0f1'],
    ['another domain', { device: 'pci0001:00/0001:01:00.0' }, 'enP1p1s0'],
    ['a second port of one function', { device: 'pci0000:00/0000:04:00.0', port: 1 }, 'enp4s0d1'],
    ['USB behind a hub', { device: 'pci0000:00/0000:00:14.0/usb1/1-2/1-2.3/1-2.3:1.0' }, 'enp0s20u2u3'],
    [
      'Hyper-V',
      { device: 'LNXSYSTM:00/VMBUS:00/f8b3781a-1e82', mac: '00:15:5d:00:04:02' },
      'enx00155d000402',
    ],
    [
      'a place whose name would be too long',
      { device: 'pci0000:00/10000:0e:1f.7/usb3/3-1/3-1.2.3.4/3-1.2.3.4:1.0', mac: '02:00:00:00:00:0a' },
      'enx02000000000a',
    ],
  ])('%s', (_what, card, name) => {
    expect(named([card])).toEqual([name]);
  });
});
