/**
 * A metadata service at the address that all clouds have it at, for one machine: a second card, whose network QEMU makes of 169.254.0.0/16, and in it
 * one address that leads to a server of ours. It answers as the real ones do (test/host/provision/source/services/).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Service } from '../../host/provision/source/services/service.ts';

export interface MetadataServer {
  /** `METHOD path status`, as they came. */
  readonly requests: string[];
  /** For QEMU: the card, and what firmware says of the machine. */
  readonly arguments: readonly string[];
  /** From now on nobody answers; the address stays. */
  readonly silence: () => void;
  readonly close: () => Promise<void>;
}

/** Of the second card. */
export const METADATA_CARD = '52:54:00:00:00:09';
export const METADATA_ADDRESS = '169.254.0.15/16';

/** Fields of SMBIOS as QEMU takes them: `type=1,manufacturer=Amazon EC2`. */
export async function serveMetadata(service: Service, firmware: readonly string[]): Promise<MetadataServer> {
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
      const bytes = Buffer.from(answer.body ?? '');
      response.writeHead(answer.status, { ...answer.headers, 'Content-Length': bytes.length });
      response.end(bytes);
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
  return {
    requests,
    arguments: [
      ...firmware.flatMap((fields) => ['-smbios', fields]),
      '-netdev',
      `user,id=metadata,net=169.254.0.0/16,guestfwd=tcp:169.254.169.254:80-cmd:${process.execPath} ${relay}`,
      '-device',
      `virtio-net-pci,netdev=metadata,romfile=,addr=9,mac=${METADATA_CARD}`,
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
