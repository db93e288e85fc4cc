/** One poll: fetches timestamp.json and compares its bytes. */
import type { ProgramOptions, ProgramResult } from '../../system/program.ts';
import type { System } from '../../system/system.ts';
import { nextPoll } from './policy/poll-time.ts';

/** What a poll goes by; the updater writes it. */
export interface PollFile {
  /** In order. */
  readonly mirrors: readonly string[];
  readonly proxy: string | null;
  readonly ca: string | null;
  /** The stored timestamp's path. */
  readonly timestamp: string;
  readonly pollMs: number;
  /** From this time on (Unix seconds) the updater has something to do, new or not. */
  readonly followAt: number | null;
  /** Polls since that nobody answered. */
  readonly failures?: number;
}

export type PollAnswer =
  | { readonly kind: 'changed' }
  | { readonly kind: 'unchanged' | 'unanswered'; readonly nextAt: number; readonly failures: number };

export interface PollFacts {
  /** Unix time in seconds. */
  readonly now: number;
  /** 0 to 1. */
  readonly chance: number;
  readonly run: (argv: readonly string[], options: ProgramOptions) => Promise<ProgramResult>;
}

/** A timestamp has some 500 bytes; one that is larger is for the updater to refuse. */
const LIMIT_BYTES = 2048;
const TIME_LIMIT_S = '60';

export async function poll(
  system: System,
  file: PollFile,
  { now, chance, run }: PollFacts,
): Promise<PollAnswer> {
  if (file.followAt !== null && file.followAt <= now) return { kind: 'changed' };
  const stored = readBytes(system, file.timestamp);
  const again = {
    now,
    pollMs: file.pollMs,
    chance,
    ...(file.followAt === null ? {} : { until: file.followAt }),
  };
  for (const mirror of file.mirrors) {
    const bytes = await fetchTimestamp(system, file, mirror, run);
    if (bytes === 'unanswered') continue;
    if (stored === undefined || bytes === 'too-large' || !sameBytes(bytes, stored))
      return { kind: 'changed' };
    return { kind: 'unchanged', nextAt: nextPoll({ ...again, failures: 0 }), failures: 0 };
  }
  const failures = (file.failures ?? 0) + 1;
  return { kind: 'unanswered', nextAt: nextPoll({ ...again, failures }), failures };
}

async function fetchTimestamp(
  system: System,
  file: PollFile,
  mirror: string,
  run: PollFacts['run'],
): Promise<Uint8Array | 'unanswered' | 'too-large'> {
  const base = mirror.replace(/^file:\/\//, '').replace(/\/+$/, '');
  if (base.startsWith('/')) return readBytes(system, `${base}/timestamp.json`) ?? 'unanswered';
  const environment = {
    PATH: system.environment('PATH') ?? '/usr/bin:/usr/sbin',
    ...(file.proxy === null ? {} : { http_proxy: file.proxy, https_proxy: file.proxy }),
  };
  try {
    const { code, stdout } = await run(fetchCommand(system, file, `${base}/timestamp.json`), {
      environment,
      limitBytes: LIMIT_BYTES,
    });
    return code === 0 && stdout.length > 0 ? stdout : 'unanswered';
  } catch {
    return 'too-large';
  }
}

function fetchCommand(system: System, { ca }: PollFile, url: string): readonly string[] {
  if (system.status('/usr/bin/curl') === undefined) return ['wget', '-q', '-T', TIME_LIMIT_S, '-O', '-', url];
  return [
    ...['curl', '--disable', '--globoff', '--proto', '=http,https', '--silent', '--fail', '--location'],
    ...['--max-redirs', '5', '--max-time', TIME_LIMIT_S, ...(ca === null ? [] : ['--cacert', ca]), '--', url],
  ];
}

function readBytes(system: System, path: string): Uint8Array | undefined {
  const fd = system.open(path, { access: 'read', nonBlocking: true });
  if (fd < 0) return undefined;
  const bytes = system.readAt(fd, 0, LIMIT_BYTES + 1);
  system.close(fd);
  return bytes === 'failed' ? undefined : bytes;
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
