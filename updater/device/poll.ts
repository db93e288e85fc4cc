/**
 * `qjs -m poll.js`: whether the repository has anything new, at the least cost: no metadata are parsed, their bytes are compared. Exit code 0: nothing; 10:
 * update.js has to look; another: it could not be told, and update.js finds out why.
 */
import { UPDATE_PATHS } from '../../spec/update.ts';
import { createQuickJsSystem } from '../../system/quickjs.ts';
import type { System } from '../../system/system.ts';
import { createFetcher } from './fetch/fetcher.ts';
import type { PollFile } from './follow-memory.ts';
import { PATHS } from './paths.ts';
import { nextPoll } from './policy/poll-time.ts';

const NOTHING = 0;
const NEWS = 10;
/** A timestamp names one file: some hundred bytes. */
const TIMESTAMP_LIMIT_BYTES = 16_384;

async function poll(system: System): Promise<number> {
  const text = system.readText(PATHS.poll);
  if (text === undefined) return NEWS;
  const file = JSON.parse(text) as PollFile;
  const now = Math.floor(system.wallClockMs() / 1000);
  if (file.followAt <= now) return NEWS;
  if (file.mirrors.length > 0) {
    const fetcher = createFetcher(system, {
      mirrors: file.mirrors,
      scratch: `${UPDATE_PATHS.runtime}/poll`,
      limits: { rounds: 1 },
      ...(file.proxy === null ? {} : { proxy: file.proxy }),
      ...(file.ca === null ? {} : { caFile: file.ca }),
    });
    const fresh = await fetcher.file('timestamp.json', TIMESTAMP_LIMIT_BYTES);
    if (fresh === 'missing' || !isSame(fresh, readStored(system, file.timestamp))) return NEWS;
  }
  const [chance = 128] = system.randomBytes(1);
  const nextAt = nextPoll({
    now,
    pollMs: file.pollMs,
    failures: 0,
    chance: chance / 255,
    until: file.followAt,
  });
  system.writeText(UPDATE_PATHS.next, `${nextAt}\n`);
  return NOTHING;
}

function readStored(system: System, path: string): Uint8Array | undefined {
  const fd = system.open(path, { access: 'read', noFollow: true });
  if (fd < 0) return undefined;
  const bytes = system.readAt(fd, 0, TIMESTAMP_LIMIT_BYTES);
  system.close(fd);
  return bytes === 'failed' ? undefined : bytes;
}

function isSame(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index]);
}

const system = createQuickJsSystem();
poll(system).then(
  (code) => system.exit(code),
  (error: unknown) => {
    system.log(String(error));
    system.exit(1);
  },
);
