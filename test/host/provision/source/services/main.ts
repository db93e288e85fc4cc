/** `node main.js SCENARIO DELAY_MS`: serves one scenario on port 80 of every address of its network; each request becomes a line on standard output. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { SCENARIOS } from './scenarios.ts';
import { send } from './send.ts';

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
    send(answer, response);
  });
});

setTimeout(() => server.listen(80, '::', () => process.stdout.write('{"ready":true}\n')), Number(delay));
// Ready before it listens: that the service comes late is what is tested.
if (delay !== '0') createSocketServer().listen(1, '::', () => process.stdout.write('{"ready":true}\n'));
