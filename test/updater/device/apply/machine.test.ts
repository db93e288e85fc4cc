/** The engine under the machine's QuickJS: killed at any moment, and in the memory that the updater has. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { fetchProgram } from '../fetch/programs.ts';
import { serveFiles } from '../fetch/server.ts';
import type { MachineJob } from './machine-main.ts';
import { bundleMachine, memoryGroup } from './machine.ts';
import { makeRelease, type TestRelease } from './release.ts';
import { expectApplied, makeSlots, type Slots } from './slots.ts';

const directory = scratchDirectory();
const start = await bundleMachine(directory);
const release = await makeRelease(join(directory, 'release'));
/** In memory, as on the machine. */
const memory = mkdtempSync('/dev/shm/slipway-apply-');
afterAll(() => rmSync(memory, { recursive: true, force: true }));

async function job(
  slots: Slots,
  published: TestRelease,
  mirror: string,
  kind: 'delta' | 'full',
): Promise<MachineJob> {
  return {
    manifest: published.manifest,
    ...(kind === 'delta' ? { source: slots.source } : {}),
    target: slots.target,
    fetch: {
      mirrors: [mirror],
      scratch: join(memory, 'fetch'),
      program: await fetchProgram('curl'),
      limits: { pauseMs: 10 },
    },
    scratch: join(memory, 'apply'),
    checkpointPath: join(slots.directory, 'checkpoint'),
    uki: {
      ...(kind === 'delta' ? { sourcePath: published.old.uki } : {}),
      outputPath: join(slots.directory, 'new.efi'),
    },
  };
}

describe.each(['delta', 'full'] as const)('by %s', (kind) => {
  test('root and UKI are made, and nothing is left in memory', async () => {
    const slots = makeSlots(directory, release);
    const run = await start(await job(slots, release, release.repository, kind));
    expect(await run.ended).toMatchObject({ code: 0, outcome: { kind, uki: kind } });
    expectApplied(slots, release);
    expect(readFileSync(join(slots.directory, 'new.efi')).equals(readFileSync(release.new.uki))).toBe(true);
    expect(readdirSync(join(memory, 'apply'))).toEqual([]);
  });

  test('killed again and again, it goes on, fetches each batch once, and the result is right', async () => {
    const slots = makeSlots(directory, release);
    const files = Object.fromEntries(
      readdirSync(release.repository).map((name) => [name, readFileSync(join(release.repository, name))]),
    );
    const server = await serveFiles(files);
    const one = await job(slots, release, server.url, kind);
    try {
      for (let kill = 0; kill < 6; kill += 1) {
        const run = await start(one);
        setTimeout(() => run.child.kill('SIGKILL'), 60 + 120 * kill * Math.random());
        await run.ended;
      }
      const last = await start(one);
      expect((await last.ended).code).toBe(0);
      expectApplied(slots, release);
      expect(readFileSync(join(slots.directory, 'new.efi')).equals(readFileSync(release.new.uki))).toBe(true);
      expect(existsSync(one.checkpointPath)).toBe(true);
    } finally {
      await server.close();
    }
  });
});

const LIMIT_BYTES = 24 * 1024 * 1024;

test.runIf(process.getuid?.() === 0)('24 MB of memory are enough, whatever the image is', async () => {
  const large = await makeRelease(join(directory, 'large'), { blocks: 8192, deltas: 'none' });
  const group = memoryGroup(LIMIT_BYTES);
  if (group === undefined) throw new Error('no memory control group can be made here');
  try {
    for (const [published, from, kind] of [
      [release, 'delta', 'delta'],
      [large, 'delta', 'blocks'],
      [large, 'full', 'full'],
    ] as const) {
      const slots = makeSlots(directory, published);
      const run = await start(await job(slots, published, published.repository, from), group);
      expect(await run.ended).toMatchObject({ code: 0, outcome: { kind } });
      expectApplied(slots, published);
      rmSync(slots.directory, { recursive: true });
    }
    expect(group.killed()).toBe(0);
    // It was in there: this is QuickJS alone.
    expect(group.peakBytes()).toBeGreaterThan(4 * 1024 * 1024);
    expect(group.peakBytes()).toBeLessThanOrEqual(LIMIT_BYTES);
  } finally {
    group.remove();
  }
});
