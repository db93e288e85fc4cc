/**
 * Out-of-memory kills, from the kernel's log: a container's own counters are gone with its control group before anybody could read
 * them. The log is read from its beginning, so that a new slipd knows what happened while there was none.
 */
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

export interface OutOfMemoryKill {
  readonly service: string;
  readonly task: string;
  readonly atMs: number;
}

/** `/dev/kmsg` gives one record a read; longer ones are cut by the kernel. */
const RECORD_BYTES = 8192;

export function watchKernelLog(system: System, heard: (kill: OutOfMemoryKill) => void): void {
  const fd = system.open(PATHS.kernelLog, { access: 'read', nonBlocking: true });
  if (fd < 0) return;
  const read = (): void => {
    for (;;) {
      const record = system.read(fd, RECORD_BYTES);
      // `failed`: records were overwritten before they were read (EPIPE); the next read goes on behind them.
      if (record === 'again' || record === 'failed' || record.length === 0) return;
      if (!mayBeKill(record)) continue;
      const kill = parseRecord(system.decode(record));
      if (kill !== undefined) heard(kill);
    }
  };
  system.onReadable(fd, read);
  read();
}

/** Text is dear here, and there are hundreds of records at boot: the first letters tell. */
function mayBeKill(record: Uint8Array): boolean {
  const text = record.indexOf(0x3b /* ; */) + 1;
  return record[text] === 0x6f && record[text + 1] === 0x6f && record[text + 2] === 0x6d;
}

/** `6,1234,5678000,-;oom-kill:constraint=...,task_memcg=/slipway/web,task=nginx,pid=...`: the third field is microseconds of uptime. */
export function parseRecord(record: string): OutOfMemoryKill | undefined {
  const match = /^\d+,\d+,(\d+),[^;]*;oom-kill:.*\btask_memcg=\/slipway\/([^,/]+)[^,]*,task=([^,\n]*)/.exec(
    record,
  );
  if (match === null) return undefined;
  return { service: match[2]!, task: match[3]!, atMs: Math.round(Number(match[1]) / 1000) };
}
