/** `node main.js SCENARIO DELAY_MS`: serves one scenario on port 80 of every address of its network; each request becomes a line on standard output. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSocketServer, type Socket } from 'node:net';
import { SCENARIOS } from './scenarios.ts';
import type { Answer } from './service.ts';

const [, , name = '', delay = '0'] = process.argv;
const service = SCENARIOS[name]?.();
if (service === undefined) throw new Error(`no scenario ${name}`);

const byPath = new Map<string, number>();
let count = 0;

const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const path = request.url ?? '';
    const indexOfPath = byPath.get(path) ?? 0;
    byPath.set(path, indexOfPath + 1);
    const body = Buffer.concat(chunks).toString();
    const method = request.method ?? '';
    const answer = service({ method, path, headers: request.headers, body, index: count++, indexOfPath });
    process.stdout.write(`${JSON.stringify({ method, path, status: answer.status })}\n`);
    setTimeout(() => send(answer, response), answer.delayMs ?? 0);
  });
});

function send(
  { status, headers = {}, body = '', trouble, chunked = false }: Answer,
  response: ServerResponse,
): void {
  const bytes = Buffer.from(body);
  const socket = response.socket as Socket;
  if (trouble === 'no-http') socket.end('SSH-2.0-OpenSSH_9.9\r\n');
  else if (trouble === 'endless-head')
    endless(socket, 'HTTP/1.1 200 OK\r\n', 'X-Header: 0123456789\r\n'.repeat(1000));
  else if (trouble === 'endless') endless(socket, 'HTTP/1.1 200 OK\r\n\r\n', 'x'.repeat(65_536));
  else if (trouble === 'truncated') {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    socket.end(bytes.subarray(0, bytes.length / 2));
  } else if (trouble === 'trickle') {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n\r\n`);
    const timer = setInterval(() => socket.write('x'), 200);
    socket.on('close', () => clearInterval(timer)).on('error', () => clearInterval(timer));
  } else {
    response.writeHead(status, chunked ? headers : { ...headers, 'Content-Length': bytes.length });
    // In two pieces, so that a chunk ends within a word.
    response.write(bytes.subarray(0, bytes.length / 2));
    response.end(bytes.subarray(bytes.length / 2));
  }
}

function endless(socket: Socket, first: string, more: string): void {
  socket.on('error', () => undefined);
  socket.write(first);
  const fill = (): void => {
    while (!socket.destroyed && socket.write(more));
    if (!socket.destroyed) socket.once('drain', fill);
  };
  fill();
}

setTimeout(() => server.listen(80, '::', () => process.stdout.write('{"ready":true}\n')), Number(delay));
// Ready before it listens: that the service comes late is what is tested.
if (delay !== '0') createSocketServer().listen(1, '::', () => process.stdout.write('{"ready":true}\n'));
