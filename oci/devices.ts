/** Device nodes, and the rules by which a container may open them (Docker's: nothing but the defaults and what is named). */
import { SlipwayError } from '../spec/error.ts';
import type { ServiceDefinition } from '../spec/service.ts';
import type { OciDevice, OciDeviceRule } from './runtime-spec.ts';

export interface ContainerDevices {
  readonly nodes: readonly OciDevice[];
  readonly rules: readonly OciDeviceRule[];
}

/** Docker's rules: mknod of anything, use of null, zero, full, random, urandom, tty, console, ptmx, pts and nothing else. */
const DEFAULT_RULES: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', access: 'm' },
  { allow: true, type: 'b', access: 'm' },
  ...(
    [
      [1, 3],
      [1, 5],
      [1, 7],
      [1, 8],
      [1, 9],
      [5, 0],
      [5, 1],
      [5, 2],
    ] as const
  ).map(([major, minor]) => ({ allow: true, type: 'c' as const, major, minor, access: 'rwm' })),
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

export function containerDevices(service: ServiceDefinition): ContainerDevices {
  // All of the machine's devices: /dev itself is mounted (mounts.ts).
  if (service.privileged) return { nodes: [], rules: [{ allow: true, access: 'rwm' }] };
  const devices = service.devices.map(({ source, target, permissions }) => {
    const number = deviceNumber(source);
    if (number === undefined) throw unknownDevice(service.name, source);
    return { target, permissions, ...number };
  });
  return {
    nodes: devices.map(({ target, type, major, minor }) => ({
      path: target,
      type,
      major,
      minor,
      fileMode: 0o666,
      uid: 0,
      gid: 0,
    })),
    rules: [
      ...DEFAULT_RULES,
      ...devices.map(({ type, major, minor, permissions }) => ({
        allow: true,
        type,
        major,
        minor,
        access: permissions,
      })),
    ],
  };
}

interface DeviceNumber {
  readonly type: 'c' | 'b';
  readonly major: number;
  readonly minor: number;
}

/** Numbers that never change (Linux's admin-guide/devices.txt). The bundle is made at build time, where no device exists to ask. */
const FIXED: Readonly<Record<string, DeviceNumber>> = Object.fromEntries(
  (
    [
      ['mem', 1, 1],
      ['null', 1, 3],
      ['port', 1, 4],
      ['zero', 1, 5],
      ['full', 1, 7],
      ['random', 1, 8],
      ['urandom', 1, 9],
      ['kmsg', 1, 11],
      ['tty', 5, 0],
      ['console', 5, 1],
      ['ptmx', 5, 2],
      ['psaux', 10, 1],
      ['watchdog', 10, 130],
      ['nvram', 10, 144],
      ['hwrng', 10, 183],
      ['cpu/microcode', 10, 184],
      ['net/tun', 10, 200],
      ['tpm0', 10, 224],
      ['uinput', 10, 223],
      ['fuse', 10, 229],
      ['kvm', 10, 232],
      ['btrfs-control', 10, 234],
      ['mapper/control', 10, 236],
      ['loop-control', 10, 237],
      ['vhost-net', 10, 238],
      ['uhid', 10, 239],
      ['vhost-vsock', 10, 241],
      ['vfio/vfio', 10, 196],
      ['snd/seq', 116, 1],
      ['snd/timer', 116, 33],
      ['ppp', 108, 0],
      ['fb0', 29, 0],
    ] as const
  ).map(([name, major, minor]) => [`/dev/${name}`, { type: 'c', major, minor }]),
);

/** Numbered families: path, type, major, first minor, how many. */
const FAMILIES: readonly (readonly [RegExp, 'c' | 'b', number, number, number])[] = [
  [/^\/dev\/tty(\d+)$/, 'c', 4, 0, 64],
  [/^\/dev\/ttyS(\d+)$/, 'c', 4, 64, 192],
  [/^\/dev\/ttyAMA(\d+)$/, 'c', 204, 64, 64],
  [/^\/dev\/ttyUSB(\d+)$/, 'c', 188, 0, 256],
  [/^\/dev\/ttyACM(\d+)$/, 'c', 166, 0, 256],
  [/^\/dev\/hvc(\d+)$/, 'c', 229, 0, 256],
  [/^\/dev\/loop(\d+)$/, 'b', 7, 0, 256],
  [/^\/dev\/sr(\d+)$/, 'b', 11, 0, 256],
  [/^\/dev\/input\/event(\d+)$/, 'c', 13, 64, 32],
  [/^\/dev\/i2c-(\d+)$/, 'c', 89, 0, 256],
  [/^\/dev\/video(\d+)$/, 'c', 81, 0, 64],
  [/^\/dev\/dri\/card(\d+)$/, 'c', 226, 0, 64],
  [/^\/dev\/dri\/renderD(\d+)$/, 'c', 226, 0, 256],
];

export function deviceNumber(path: string): DeviceNumber | undefined {
  const fixed = FIXED[path];
  if (fixed !== undefined) return fixed;
  for (const [pattern, type, major, first, count] of FAMILIES) {
    const index = pattern.exec(path)?.[1];
    if (index !== undefined && Number(index) < count) return { type, major, minor: first + Number(index) };
  }
  return undefined;
}

function unknownDevice(service: string, source: string): SlipwayError {
  return new SlipwayError('bundle.device', `service ${service}: ${source} has no fixed device number`, {
    hint: 'devices whose numbers the kernel gives out at run time (disks, rtc, ptp) are reached with `privileged: true` only',
  });
}
