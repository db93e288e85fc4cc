/** Sockets of a machine: each is a listening unix socket to which QEMU connects once. */
import { createServer, type Socket } from 'node:net';

export interface Listener {
  readonly path: string;
  /** Resolves when QEMU has connected. */
  readonly connected: Promise<Socket>;
  readonly close: () => void;
}

/** Listens on a unix socket for one client. */
export async function listenOnce(path: string): Promise<Listener> {
  const server = createServer();
  const connected = new Promise<Socket>((resolve) => {
    server.once('connection', (socket) => {
      server.close();
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return { path, connected, close: () => server.close() };
}

/** Calls back for each whole line, without its end. */
export function readLines(socket: Socket, onLine: (line: string) => void): void {
  let rest = '';
  socket.setEncoding('utf8');
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const text = line.trim();
      if (text !== '') onLine(text);
    }
  });
}
