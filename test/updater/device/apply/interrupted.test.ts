/** Work that somebody ends, or that a network ends, with the real engine and a real server: nothing of it is in the way of the next run (failure 3). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createNodeSystem } from '../../../../system/node.ts';
import { applyRoot } from '../../../../updater/device/apply/apply.ts';
import type { RootOptions } from '../../../../updater/device/apply/root-options.ts';
import type { Checkpoint } from '../../../../updater/device/apply/facts.ts';
import { createFetcher } from '../../../../updater/device/fetch/fetcher.ts';
import { Interrupted } from '../../../../updater/device/interrupt.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { fetchProgram } from '../fetch/programs.ts';
import { serveFiles, type Behaviour, type TestServer } from '../fetch/server.ts';
import { makeRelease } from './release.ts';
import { expectApplied, isRubbish, makeSlots, type Slots } from './slots.ts';

const directory = scratchDirectory();
const system = createNodeSystem();
const release = await makeRelease(join(directory, 'release'), { deltas: 'none' });
const files = Object.fromEntries(
  readdirSync(release.repository).map((name) => [name, readFileSync(join(release.repository, name))]),
);
const { full } = release.manifest.root;

let behaviour: Behaviour = { kind: 'right' };
let server: TestServer;
beforeAll(async () => {
  server = await serveFiles(files, () => behaviour);
});
afterAll(() => server.close());

/** One run, from the checkpoint of the last one. */
async function run(here: Slots, done: Checkpoint[], changes: Partial<RootOptions> = {}): Promise<number> {
  const resume = done.at(-1);
  const outcome = await applyRoot(system, {
    manifest: release.manifest,
    source: undefined,
    target: here.target,
    fetcher: createFetcher(system, {
      mirrors: [server.url],
      scratch: join(here.directory, 'fetch'),
      program: await fetchProgram('curl'),
      limits: { pauseMs: 1, rounds: 2 },
    }),
    scratch: join(here.directory, 'scratch'),
    progress: () => undefined,
    checkpoint: (one) => Promise.resolve(void done.push(one)),
    ...(resume === undefined ? {} : { resume }),
    ...changes,
  });
  return outcome.receivedBytes;
}

function left(here: Slots): readonly string[] {
  const path = join(here.directory, 'scratch');
  return existsSync(path) ? readdirSync(path) : [];
}

describe('failure 3: interrupted', () => {
  test.each<[string, Behaviour]>([
    ['by a server that is not there yet', { kind: 'status', status: 503 }],
    ['by a connection that dies before the first byte', { kind: 'drop', afterBytes: 0 }],
    ['by an empty answer', { kind: 'truncate', afterBytes: 0 }],
  ])('before the first byte, %s: nothing was written, and the next run is as a first one', async (_, bad) => {
    const here = makeSlots(directory, release);
    const done: Checkpoint[] = [];
    behaviour = bad;
    await expect(run(here, done)).rejects.toMatchObject({
      code: expect.stringMatching(/^fetch\./) as string,
    });
    expect([done, left(here)]).toEqual([[], []]);
    expect(isRubbish(readFileSync(here.target.dataDevice))).toBe(true);
    behaviour = { kind: 'right' };
    // With the heads of the answers.
    const received = await run(here, done);
    expect(received).toBeGreaterThanOrEqual(full.sizeBytes);
    expect(received).toBeLessThan(full.sizeBytes + 2000);
    expectApplied(here, release);
  });

  test('by Ctrl-C after some bytes: the next run goes on behind them', async () => {
    const here = makeSlots(directory, release);
    const done: Checkpoint[] = [];
    behaviour = { kind: 'right' };
    const stopped = run(here, done, {
      progress: () => {
        if (done.length > 0) throw new Interrupted();
      },
    });
    await expect(stopped).rejects.toBeInstanceOf(Interrupted);
    expect(done.length).toBeGreaterThan(0);
    expect(left(here)).toEqual([]);
    const received = await run(here, done);
    expect(received).toBeGreaterThan(0);
    expect(received).toBeLessThan(full.sizeBytes);
    expectApplied(here, release);
  });
});
