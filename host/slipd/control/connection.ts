/** One client, from its request to its end: replies to it, hears it, and notices its death. */
import type { Reply } from '../../control/protocol.ts';
import type { System } from '../../../system/system.ts';
import { openFifo, sweep, type Admitted } from './admission.ts';

export interface Connection {
  readonly id: string;
  readonly uid: number;
  reply(reply: Reply): void;
  /** After a last reply. */
  end(): void;
  /** A line that the client sent, or `undefined` once: it is gone. */
  onLine: (line: string | undefined) => void;
}

const LINE_LIMIT_BYTES = 4096;

/** `undefined` when nobody is there any more. */
export function connect(
  system: System,
  admitted: Admitted,
  closed: (id: string) => void,
): Connection | undefined {
  const reply = openFifo(system, admitted, 'reply', 'write');
  const lease = reply < 0 ? -1 : openFifo(system, admitted, 'lease', 'read');
  if (lease < 0) {
    if (reply >= 0) system.close(reply);
    sweep(system, admitted.id);
    return undefined;
  }
  let queue: Uint8Array[] = [];
  let ending = false;
  let open = true;
  let text = '';

  const connection: Connection = {
    id: admitted.id,
    uid: admitted.uid,
    reply: (message) => {
      if (!open) return;
      queue.push(system.encode(`${JSON.stringify(message)}\n`));
      flush();
    },
    end: () => {
      ending = true;
      flush();
    },
    onLine: () => undefined,
  };

  function flush(): void {
    while (open && queue.length > 0) {
      const written = system.write(reply, queue[0]!);
      if (written === 'failed') return close(true);
      if (written === 'again') return system.onWritable(reply, flush);
      if (written === queue[0]!.length) queue.shift();
      else queue[0] = queue[0]!.subarray(written);
    }
    if (!open) return;
    system.onWritable(reply, undefined);
    if (ending) close(false);
  }

  function hear(): void {
    const bytes = system.read(lease, LINE_LIMIT_BYTES);
    if (bytes === 'again') return;
    if (bytes === 'failed' || bytes.length === 0) return close(true);
    text += system.decode(bytes);
    if (text.length > LINE_LIMIT_BYTES && !text.includes('\n')) return close(true);
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) connection.onLine(line);
  }

  function close(lost: boolean): void {
    if (!open) return;
    open = false;
    queue = [];
    system.close(reply);
    system.close(lease);
    sweep(system, admitted.id);
    closed(admitted.id);
    if (lost) connection.onLine(undefined);
  }

  system.onReadable(lease, hear);
  // The kernel tells of a writer's going only if it saw one: ask once whether there is any.
  system.after(0, () => open && hear());
  return connection;
}
