import { expect, test } from 'vitest';
import { qemuCommand, type QemuOptions } from '../../lab/qemu.ts';

const TOOLBOX = {
  id: 'test',
  root: '/tools',
  command: (program: string) => [`/tools/usr/bin/${program}`],
  file: (path: string) => `/tools${path}`,
};

const PLAIN: QemuOptions = {
  architecture: 'amd64',
  accelerator: 'tcg',
  memoryMiB: 256,
  cpus: 1,
  disks: [{ path: '/disk,one.qcow2', format: 'qcow2' }],
  firmware: { code: '/code.fd', variables: '/vars.fd' },
  sockets: { qmp: '/s/qmp', console: '/s/console', report: '/s/report' },
  consoleLog: '/s/log',
  ports: [{ host: 0, guest: 22 }],
  networkCard: 'virtio-net-pci',
  outside: 'open',
  smbiosStrings: [],
  restart: 'on-reset',
  extra: [],
};

const text = (options: Partial<QemuOptions> = {}): string =>
  qemuCommand(TOOLBOX, { ...PLAIN, ...options }).join(' ');

test('firmware variables can only be written from system management mode', () => {
  expect(text()).toContain('q35,smm=on');
  expect(text()).toContain('driver=cfi.pflash01,property=secure,value=on');
});

test('ports are forwarded from this workstation alone, and 0 lets QEMU find a free one', () => {
  expect(
    text({
      ports: [
        { host: 0, guest: 22 },
        { host: 8080, guest: 80 },
      ],
    }),
  ).toContain('hostfwd=tcp:127.0.0.1:0-:22,hostfwd=tcp:127.0.0.1:8080-:80');
});

test('commas in paths and strings stay what they are', () => {
  expect(text()).toContain('file=/disk,,one.qcow2');
  expect(text({ smbiosStrings: ['a,b'] })).toContain('type=11,value=a,,b');
});

test.each([
  ['virtio', 'virtio-blk-pci,drive=disk0'],
  ['virtio-scsi', 'scsi-hd,drive=disk0,bus=scsi0.0'],
  ['ahci', 'ide-hd,drive=disk0,bus=ide.0'],
  ['nvme', 'nvme,drive=disk0'],
  ['usb', 'usb-storage,drive=disk0'],
] as const)('a disk on %s', (bus, device) => {
  expect(text({ disks: [{ path: '/d', format: 'raw', bus, sectorSize: 4096 }] })).toContain(device);
});

test('a TPM is where the architecture has one, and nowhere without one', () => {
  expect(text()).not.toContain('tpm');
  expect(text({ tpm: '/s/tpm' })).toContain(
    '-chardev socket,id=tpm,path=/s/tpm -tpmdev emulator,id=tpm0,chardev=tpm -device tpm-crb,tpmdev=tpm0',
  );
  expect(text({ tpm: '/s/tpm', architecture: 'arm64' })).toContain('-device tpm-tis-device,tpmdev=tpm0');
});
