/** How a service's answer goes out, with the trouble that it is to make. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './service.ts';

/** After the answer's delay. */
export function send(answer: Answer, response: ServerResponse): void {
  setTimeout(() => sendNow(answer, response), answer.delayMs ?? 0);
}

function sendNow(
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
