/** QEMU's control socket (QEMU Machine Protocol). We listen and QEMU connects, so nothing is ever polled. */
import type { Socket } from 'node:net';
import { SlipwayError } from '../spec/error.ts';
import { readLines } from './lines.ts';

export interface QmpEvent {
  readonly event: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface Qmp {
  readonly execute: (command: string, parameters?: Readonly<Record<string, unknown>>) => Promise<unknown>;
  /** A command of the human monitor, for what QMP itself lacks. */
  readonly monitor: (commandLine: string) => Promise<string>;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Negotiates on a connected socket. */
export async function openQmp(socket: Socket, onEvent: (event: QmpEvent) => void): Promise<Qmp> {
  const waiting = new Map<number, Waiting>();
  let next = 1;
  readLines(socket, (line) => {
    const message = JSON.parse(line) as {
      id?: number;
      return?: unknown;
      error?: { class: string; desc: string };
      event?: string;
      data?: Record<string, unknown>;
    };
    if (message.event !== undefined) {
      onEvent({ event: message.event, ...(message.data === undefined ? {} : { data: message.data }) });
      return;
    }
    const request = message.id === undefined ? undefined : waiting.get(message.id);
    if (request === undefined || message.id === undefined) return;
    waiting.delete(message.id);
    if (message.error === undefined) request.resolve(message.return);
    else request.reject(new SlipwayError('lab.qmp', `QEMU refused a command: ${message.error.desc}`));
  });
  socket.on('close', () => {
    for (const request of waiting.values()) {
      request.reject(new SlipwayError('lab.qmp', 'QEMU ended before it answered'));
    }
    waiting.clear();
  });
  const execute: Qmp['execute'] = (command, parameters) =>
    new Promise((resolve, reject) => {
      if (socket.destroyed) {
        reject(new SlipwayError('lab.qmp', `QEMU is gone; cannot run ${command}`));
        return;
      }
      const id = next++;
      waiting.set(id, { resolve, reject });
      socket.write(`${JSON.stringify({ execute: command, arguments: parameters ?? {}, id })}\n`);
    });
  await execute('qmp_capabilities');
  return {
    execute,
    monitor: async (commandLine) =>
      String(await execute('human-monitor-command', { 'command-line': commandLine })),
  };
}
