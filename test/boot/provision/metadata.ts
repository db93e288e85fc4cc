/**
 * A metadata service at the address that all clouds have it at, for one machine: a second card, whose network QEMU makes of 169.254.0.0/16, and in it
 * one address that leads to a server of ours. It answers as the real ones do (test/host/provision/source/services/). Azure has a second address, and
 * here a third card for it.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { send } from '../../host/provision/source/services/send.ts';
import type { Service } from '../../host/provision/source/services/service.ts';

export interface MetadataServer {
  /** `METHOD path status`, as they came. */
  readonly requests: string[];
  /** For QEMU: the cards, and what firmware says of the machine. */
  readonly arguments: readonly string[];
  /** From now on nobody answers; the address stays. */
  readonly silence: () => void;
  readonly close: () => Promise<void>;
}

/** Of the second card. */
export const METADATA_CARD = '52:54:00:00:00:09';
export const METADATA_ADDRESS = '169.254.0.15/16';
/** Of the third. */
export const WIRE_SERVER_CARD = '52:54:00:00:00:0a';

interface Network {
  readonly name: string;
  readonly network: string;
  readonly address: string;
  readonly slot: number;
  readonly card: string;
}

const METADATA: Network = {
  name: 'metadata',
  network: '169.254.0.0/16',
  address: '169.254.169.254',
  slot: 9,
  card: METADATA_CARD,
};
/** Where an Azure machine says that it is ready. */
export const WIRE_SERVER: Network = {
  name: 'wireserver',
  network: '168.63.129.0/24',
  address: '168.63.129.16',
  slot: 10,
  card: WIRE_SERVER_CARD,
};

/** `firmware`: fields of SMBIOS as QEMU takes them: `type=1,manufacturer=Amazon EC2`. `further`: networks in which the same server answers. */
export async function serveMetadata(
  service: Service,
  firmware: readonly string[] = [],
  further: readonly Network[] = [],
): Promise<MetadataServer> {
  const requests: string[] = [];
  const byPath = new Map<string, number>();
  let silent = false;
  const server = createServer((request, response) => {
    if (silent) return void request.socket.destroy();
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const indexOfPath = byPath.get(path) ?? 0;
      byPath.set(path, indexOfPath + 1);
      const body = Buffer.concat(chunks).toString();
      const answer = service({ method, path, headers, body, index: requests.length, indexOfPath });
      requests.push(`${method} ${path} ${answer.status}`);
      send(answer, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const directory = mkdtempSync(join(tmpdir(), 'slipway-metadata-'));
  const relay = join(directory, 'relay.mjs');
  // QEMU starts it for each connection of the guest's.
  writeFileSync(
    relay,
    `import { connect } from 'node:net';
const socket = connect(${port}, '127.0.0.1');
process.stdin.pipe(socket);
socket.pipe(process.stdout);
socket.on('error', () => process.exit(1)).on('close', () => process.exit(0));
`,
  );
  const command = `${process.execPath} ${relay}`;
  return {
    requests,
    arguments: [
      ...firmware.flatMap((fields) => ['-smbios', fields]),
      ...[METADATA, ...further].flatMap((network) => cardIn(network, command)),
    ],
    silence: () => {
      silent = true;
      server.closeAllConnections();
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true });
    },
  };
}

/** In that network there is nobody but the server. */
function cardIn({ name, network, address, slot, card }: Network, command: string): readonly string[] {
  return [
    '-netdev',
    `user,id=${name},net=${network},restrict=on,guestfwd=tcp:${address}:80-cmd:${command}`,
    '-device',
    `virtio-net-pci,netdev=${name},romfile=,addr=0x${slot.toString(16)},mac=${card}`,
  ];
}
