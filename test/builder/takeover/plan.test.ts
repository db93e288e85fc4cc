import { describe, expect, test } from 'vitest';
import { parseSshAddress } from '../../../builder/takeover/address.ts';
import { planTakeover, type TakeoverImage } from '../../../builder/takeover/plan.ts';
import { parseProbe, type RemoteMachine } from '../../../builder/takeover/probe.ts';

const CA = Uint8Array.from([0x30, 0x82, 7, 7]);
const IMAGE: TakeoverImage = {
  name: 'hello',
  version: '1.0.0',
  architecture: 'amd64',
  sectorSize: 512,
  diskBytes: 4e9,
  payloadBytes: 30e6,
  trustAnchor: CA,
};
const GOOD = `uid 0
architecture x86_64
host old
system Some Linux 9 (nine)
memory-kib 900000
efi yes
secure-boot 1
db 00ff30820707aa
sysrq yes
mounted sda /
mounted sda /boot/efi
disk sda|64000000000|512|0|0|S1|Fast Disk
disk sdb|128000000000|512|0|0|S2|Large Disk
disk sdc|8000000000|512|0|1||Stick
authorized-key ssh-ed25519 AAAA me
`;
const machine = (change: (text: string) => string = (text) => text): RemoteMachine =>
  parseProbe(change(GOOD));

describe('what a machine says of itself', () => {
  test('is read', () => {
    expect(machine()).toMatchObject({
      isRoot: true,
      architecture: 'amd64',
      host: 'old',
      efi: true,
      secureBoot: true,
    });
    expect(machine().disks[0]).toMatchObject({
      name: 'sda',
      sizeBytes: 64e9,
      model: 'Fast Disk',
      mounted: ['/', '/boot/efi'],
    });
    expect(machine().authorizedKeys).toEqual(['ssh-ed25519 AAAA me']);
  });

  test('may be anything', () => {
    expect(parseProbe('\0\ndisk sda;rm|1|2|3\nmemory-kib x\ndisk ../../x|1|512|0|0||\n')).toMatchObject({
      disks: [],
      memoryBytes: 0,
      isRoot: false,
    });
  });
});

describe('the disk', () => {
  test.each([
    [undefined, 'sda'],
    ['/dev/sdb', 'sdb'],
    ['size:128GB', 'sdb'],
    ['serial:S2', 'sdb'],
    ['smallest', 'sda'],
    ['largest', 'sdb'],
  ])('%s', (choice, name) => {
    expect(planTakeover(machine(), IMAGE, choice).disk.name).toBe(name);
  });

  test('is asked for where the old system does not tell', () => {
    const unknown = machine((text) => text.replace(/^mounted .*\n/gm, ''));
    expect(() => planTakeover(unknown, IMAGE, undefined)).toThrow(/which disk is meant.*sda.*sdb/);
    expect(() => planTakeover(machine(), IMAGE, '/dev/sdx')).toThrow(/no such disk: \/dev\/sdx/);
    expect(() => planTakeover(machine(), IMAGE, 'serial:')).toThrow(/serial: names no disk/);
  });
});

test.each([
  ['uid 0', 'uid 1000', /not root/],
  ['x86_64', 'riscv64', /riscv64.*amd64/],
  ['efi yes\n', '', /UEFI/],
  ['30820707', '30820708', /trusts other keys/],
  ['sysrq yes\n', '', /sysrq-trigger/],
  ['memory-kib 900000', 'memory-kib 150000', /146 MiB of memory free; 188 MiB/],
  ['sda|64000000000|512', 'sda|64000000000|4096', /sectors of 4096/],
  ['sda|64000000000', 'sda|3000000000', /2861 MiB, the image needs 3814 MiB/],
  ['|512|0|0|S1', '|512|1|0|S1', /read-only/],
])('%s -> %s is refused before anything is changed', (from, to, message) => {
  expect(() =>
    planTakeover(
      machine((text) => text.replace(from, to)),
      IMAGE,
      undefined,
    ),
  ).toThrow(message);
});

test('without Secure Boot any key will do', () => {
  const open = machine((text) => text.replace('secure-boot 1', 'secure-boot 0').replace(/^db .*\n/m, ''));
  expect(planTakeover(open, IMAGE, undefined).disk.name).toBe('sda');
});

test.each([
  ['ssh://host', { user: 'root', host: 'host', port: 22 }],
  ['ssh://me@10.0.0.7:2222', { user: 'me', host: '10.0.0.7', port: 2222 }],
  ['ssh://[fd00::1]:22/', { user: 'root', host: 'fd00::1', port: 22 }],
])('%s', (text, expected) => {
  expect(parseSshAddress(text)).toEqual(expected);
});

test.each([
  'host',
  'ssh://-oProxyCommand=x',
  'ssh://a b',
  'ssh://h:0',
  'ssh://h:99999',
  'ssh://-l@h',
  'http://h',
])('%s is no address', (text) => {
  expect(() => parseSshAddress(text)).toThrow(/no address/);
});
