/** What a machine that starts over the network needs around it: a card with boot, and firmware that is told where to look. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import type { FirmwareVariable } from '../../lab/ovmf-vars.ts';

/** A card of its own, since the lab's boots nothing; another network, so that both have a route. */
const MAC = '525400abcdef';
/** The workstation, as that network sees it. */
export const WORKSTATION = '10.0.3.2';

/** `more`: of QEMU's user network, as `,tftp=...`. */
export function bootCard(more = ''): readonly string[] {
  const mac = MAC.replaceAll(/(..)(?=.)/g, '$1:');
  return [
    ...['-netdev', `user,id=boot,net=10.0.3.0/24${more}`],
    ...['-device', `virtio-net-pci,netdev=boot,mac=${mac},romfile=,bootindex=5,addr=0x10`],
  ];
}

/** For a server that cannot be told to take any. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * Boot0099, first in BootOrder: what somebody enters in the firmware's menu. QEMU's DHCP server cannot say that it speaks of HTTP.
 * UEFI 2.10: load options 3.1.3, device paths 10.3 (ACPI, PCI, MAC, IPv4, URI).
 */
export function httpBootOption(url: string): readonly FirmwareVariable[] {
  const node = (type: number, subtype: number, ...data: readonly (string | Buffer)[]): Buffer => {
    const body = Buffer.concat(
      data.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)),
    );
    const head = Buffer.from([type, subtype, 0, 0]);
    head.writeUInt16LE(4 + body.length, 2);
    return Buffer.concat([head, body]);
  };
  const path = Buffer.concat([
    node(2, 1, 'd041030a', '00000000'),
    node(1, 1, '0010'),
    node(3, 11, MAC, Buffer.alloc(26), '01'),
    node(3, 12, Buffer.alloc(23)),
    node(3, 24, Buffer.from(url)),
    Buffer.from('7fff0400', 'hex'),
  ]);
  const head = Buffer.alloc(6);
  head.writeUInt32LE(1, 0);
  head.writeUInt16LE(path.length, 4);
  const name = Buffer.from('boot over HTTP\0', 'utf16le');
  const global = { vendor: '8be4df61-93ca-11d2-aa0d-00e098032b8c', attributes: 7 };
  return [
    { ...global, name: 'Boot0099', data: Buffer.concat([head, name, path]) },
    { ...global, name: 'BootOrder', data: Buffer.from('9900', 'hex') },
  ];
}
