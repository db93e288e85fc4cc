/** QEMU's command line, from what a machine should be. Pure: it starts nothing. */
import type { Toolbox } from './toolbox.ts';
import type { Architecture } from '../spec/image.ts';
import { FW_CFG_AUTHORIZED_KEYS, REPORT_PORT } from '../spec/machine.ts';

export type Accelerator = 'kvm' | 'tcg';
export type NetworkCard = 'virtio-net-pci' | 'e1000e' | 'igb';
export type DiskBus = 'virtio' | 'virtio-scsi' | 'ahci' | 'nvme' | 'usb';

/** As QEMU calls them; `vpc` is VHD. */
export type DiskFormat = 'raw' | 'qcow2' | 'vmdk' | 'vpc';

export interface DiskOptions {
  readonly path: string;
  readonly format: DiskFormat;
  readonly bus?: DiskBus;
  readonly sectorSize?: 512 | 4096;
  readonly serial?: string;
  readonly readOnly?: boolean;
}

/** Everything that QEMU is told, with all files in place. */
export interface QemuOptions {
  readonly architecture: Architecture;
  readonly accelerator: Accelerator;
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly disks: readonly DiskOptions[];
  readonly firmware?: { readonly code: string; readonly variables: string };
  /** Direct boot of a kernel, past firmware and boot loader (benchmarks alone). */
  readonly kernel?: { readonly image: string; readonly initrd?: string; readonly commandLine: string };
  /** Without `report` there is no virtio-serial device, whose receive buffers cost the guest 8 MB; without `console` no serial port. */
  readonly sockets: { readonly qmp: string; readonly console?: string; readonly report?: string };
  readonly consoleLog: string;
  readonly ports: readonly { readonly host: number; readonly guest: number }[];
  readonly networkCard: NetworkCard;
  /** `closed`: nothing that the machine sends leaves QEMU; forwarded ports still lead to it. */
  readonly outside: 'open' | 'closed';
  /** Control socket of swtpm. */
  readonly tpm?: string;
  readonly authorizedKeys?: string;
  /** SMBIOS type 11 (OEM) strings. */
  readonly smbiosStrings: readonly string[];
  readonly restart: 'on-reset' | 'never';
  readonly extra: readonly string[];
}

/** Port of sshd in the guest. */
export const SSH_PORT = 22;

export function qemuCommand(toolbox: Toolbox, options: QemuOptions): string[] {
  return [
    ...MACHINE[options.architecture](toolbox, options),
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-vga', 'none'],
    ...['-accel', options.accelerator],
    ...['-m', String(options.memoryMiB), '-smp', String(options.cpus)],
    ...firmwareArguments(options),
    ...options.disks.flatMap(diskArguments),
    ...networkArguments(options),
    ...serialArguments(options),
    ...['-object', 'rng-random,id=rng0,filename=/dev/urandom', '-device', 'virtio-rng-pci,rng=rng0'],
    ...tpmArguments(options),
    ...['-device', 'i6300esb', '-action', 'watchdog=reset'],
    ...(options.authorizedKeys === undefined
      ? []
      : ['-fw_cfg', `name=${FW_CFG_AUTHORIZED_KEYS},file=${escapeValue(options.authorizedKeys)}`]),
    ...options.smbiosStrings.flatMap((text) => ['-smbios', `type=11,value=${escapeValue(text)}`]),
    ...(options.restart === 'never' ? ['-no-reboot'] : []),
    ...options.extra,
  ];
}

const MACHINE: Readonly<Record<Architecture, (toolbox: Toolbox, options: QemuOptions) => string[]>> = {
  amd64: (toolbox, { accelerator, firmware }) => [
    ...toolbox.command('qemu-system-x86_64'),
    ...['-L', toolbox.file('/usr/share/seabios'), '-L', toolbox.file('/usr/share/qemu')],
    ...['-machine', `q35,smm=${firmware === undefined ? 'off' : 'on'}`],
    ...['-cpu', accelerator === 'kvm' ? 'host' : 'max'],
  ],
  arm64: (toolbox, { accelerator }) => [
    ...toolbox.command('qemu-system-aarch64'),
    ...['-machine', 'virt'],
    // Pointer authentication as the architecture has it takes half of the time in software.
    ...['-cpu', accelerator === 'kvm' ? 'host' : 'max,pauth-impdef=on'],
  ],
};

// Variables can be written from System Management Mode only, as on real PCs: an operating system can't forge them.
function firmwareArguments({ architecture, firmware, kernel }: QemuOptions): string[] {
  const direct =
    kernel === undefined
      ? []
      : [
          ...['-kernel', kernel.image, '-append', kernel.commandLine],
          ...(kernel.initrd === undefined ? [] : ['-initrd', kernel.initrd]),
        ];
  if (firmware === undefined) return direct;
  return [
    ...(architecture === 'amd64' ? ['-global', 'driver=cfi.pflash01,property=secure,value=on'] : []),
    ...['-drive', `if=pflash,format=raw,unit=0,readonly=on,file=${escapeValue(firmware.code)}`],
    ...['-drive', `if=pflash,format=raw,unit=1,file=${escapeValue(firmware.variables)}`],
    ...direct,
  ];
}

function diskArguments(disk: DiskOptions, index: number): string[] {
  const id = `disk${index}`;
  const bootIndex = `,bootindex=${index}`;
  const sectors =
    disk.sectorSize === undefined
      ? ''
      : `,logical_block_size=${disk.sectorSize},physical_block_size=${disk.sectorSize}`;
  const serial = `,serial=${disk.serial ?? id}`;
  const drive = [
    '-drive',
    `if=none,id=${id},format=${disk.format},file=${escapeValue(disk.path)},discard=unmap` +
      (disk.readOnly === true ? ',readonly=on' : ''),
  ];
  switch (disk.bus ?? 'virtio') {
    case 'virtio':
      return [...drive, '-device', `virtio-blk-pci,drive=${id}${serial}${bootIndex}${sectors}`];
    case 'virtio-scsi':
      return [
        ...drive,
        ...['-device', `virtio-scsi-pci,id=scsi${index}`],
        ...['-device', `scsi-hd,drive=${id},bus=scsi${index}.0${serial}${bootIndex}${sectors}`],
      ];
    case 'ahci':
      // q35 has an AHCI controller of its own, ide.0 to ide.5; `virt` has none.
      return [...drive, '-device', `ide-hd,drive=${id},bus=ide.${index}${serial}${bootIndex}${sectors}`];
    case 'nvme':
      return [...drive, '-device', `nvme,drive=${id}${serial}${bootIndex}${sectors}`];
    case 'usb':
      return [
        ...drive,
        ...['-device', `qemu-xhci,id=xhci${index}`],
        ...['-device', `usb-storage,drive=${id},bus=xhci${index}.0${serial}${bootIndex}${sectors}`],
      ];
  }
}

/** Port 0 lets the kernel choose a free one as QEMU binds it: no race with other machines. */
function networkArguments(options: QemuOptions): string[] {
  const forwards = options.ports.map(({ host, guest }) => `,hostfwd=tcp:127.0.0.1:${host}-:${guest}`);
  return [
    ...['-netdev', `user,id=net0${options.outside === 'closed' ? ',restrict=on' : ''}${forwards.join('')}`],
    // No option ROM: nothing of ours boots over this network card.
    ...['-device', `${options.networkCard},netdev=net0,romfile=`],
  ];
}

function tpmArguments({ architecture, tpm }: QemuOptions): string[] {
  if (tpm === undefined) return [];
  const device = { amd64: 'tpm-crb', arm64: 'tpm-tis-device' }[architecture];
  return [
    ...['-chardev', `socket,id=tpm,path=${escapeValue(tpm)}`],
    ...['-tpmdev', 'emulator,id=tpm0,chardev=tpm', '-device', `${device},tpmdev=tpm0`],
  ];
}

function serialArguments({ sockets, consoleLog }: QemuOptions): string[] {
  const socket = (id: string, path: string): string => `socket,id=${id},path=${escapeValue(path)}`;
  return [
    ...(sockets.console === undefined
      ? ['-serial', 'none']
      : [
          ...['-chardev', `${socket('console', sockets.console)},logfile=${escapeValue(consoleLog)}`],
          ...['-serial', 'chardev:console'],
        ]),
    ...['-chardev', socket('qmp', sockets.qmp), '-mon', 'chardev=qmp,mode=control'],
    ...(sockets.report === undefined
      ? []
      : [
          ...['-device', 'virtio-serial-pci', '-chardev', socket('report', sockets.report)],
          ...['-device', `virtserialport,chardev=report,name=${REPORT_PORT}`],
        ]),
  ];
}

/** QEMU's option syntax: a comma within a value is doubled. */
function escapeValue(value: string): string {
  return value.replaceAll(',', ',,');
}
