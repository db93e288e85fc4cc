/** The small look: whom it asks, what it makes of the answer, and when it looks again. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createNodeSystem } from '../../../system/node.ts';
import { poll, type PollFile } from '../../../updater/device/polling.ts';
import { scratchDirectory } from '../../builder/scratch.ts';

const scratch = scratchDirectory();
const system = createNodeSystem();
const STORED = new TextEncoder().encode('{"signed":1}');
const timestamp = join(scratch, 'timestamp.json');
writeFileSync(timestamp, STORED);

const FILE: PollFile = {
  mirrors: ['http://one/r', 'http://two/r/'],
  proxy: null,
  ca: null,
  timestamp,
  pollMs: 600_000,
  followAt: null,
};

/** Asks mirrors that answer with these bytes, by address; `undefined`: not at all. */
async function ask(file: PollFile, answers: Record<string, Uint8Array | undefined>) {
  const asked: string[] = [];
  const answer = await poll(system, file, {
    now: 1000,
    chance: 0.5,
    run: (argv, { limitBytes = 0 }) => {
      const url = argv.at(-1) ?? '';
      asked.push(url);
      const stdout = answers[url];
      if (stdout === undefined) return Promise.resolve({ code: 22, stdout: new Uint8Array() });
      if (stdout.length > limitBytes) return Promise.reject(new Error('printed more'));
      return Promise.resolve({ code: 0, stdout });
    },
  });
  return { asked, answer };
}

test('the same bytes: nothing is new, and the next look is a period later', async () => {
  const { asked, answer } = await ask(FILE, { 'http://one/r/timestamp.json': STORED });
  expect(asked).toEqual(['http://one/r/timestamp.json']);
  expect(answer).toEqual({ kind: 'unchanged', nextAt: 1600, failures: 0 });
});

test.each([
  ['other bytes', Uint8Array.of(1, 2, 3)],
  ['other bytes of the same length', STORED.map((byte, index) => (index === 3 ? byte ^ 1 : byte))],
  ['an endless answer', new Uint8Array(10_000)],
])('%s: the updater has to look', async (_, bytes) => {
  const { answer } = await ask(FILE, { 'http://one/r/timestamp.json': bytes });
  expect(answer).toEqual({ kind: 'changed' });
});

test('the next mirror is asked when one does not answer', async () => {
  const { asked, answer } = await ask(FILE, { 'http://two/r/timestamp.json': STORED });
  expect(asked).toHaveLength(2);
  expect(answer).toMatchObject({ kind: 'unchanged' });
});

test('when nobody answers it is tried sooner, then ever later', async () => {
  const first = await ask(FILE, {});
  expect(first.answer).toEqual({ kind: 'unanswered', nextAt: 1060, failures: 1 });
  const fourth = await ask({ ...FILE, failures: 3 }, {});
  expect(fourth.answer).toEqual({ kind: 'unanswered', nextAt: 1480, failures: 4 });
});

test('without a stored timestamp anything is new', async () => {
  const { answer } = await ask(
    { ...FILE, timestamp: join(scratch, 'none') },
    { 'http://one/r/timestamp.json': STORED },
  );
  expect(answer).toEqual({ kind: 'changed' });
});

test('what falls due needs no network; what will, brings the next look forward', async () => {
  const due = await ask({ ...FILE, followAt: 1000 }, {});
  expect(due).toEqual({ asked: [], answer: { kind: 'changed' } });
  const later = await ask({ ...FILE, followAt: 1100 }, { 'http://one/r/timestamp.json': STORED });
  expect(later.answer).toMatchObject({ nextAt: 1101 });
});

test('a mirror may be a directory', async () => {
  const { answer } = await ask({ ...FILE, mirrors: [`file://${scratch}`] }, {});
  expect(answer).toMatchObject({ kind: 'unchanged' });
});
