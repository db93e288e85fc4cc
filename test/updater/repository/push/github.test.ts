import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createNodeSystem } from '../../../../system/node.ts';
import { createFetcher } from '../../../../updater/device/fetch/fetcher.ts';
import { openTarget } from '../../../../updater/repository/push/open.ts';
import { pushRepository, type PushOptions } from '../../../../updater/repository/push/push.ts';
import type { PushTarget } from '../../../../updater/repository/push/target.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { OWNER, REPOSITORY, startGitHub, TOKEN, type GitHubServer } from './github-server.ts';
import { contents, sampleRepository, sha256Of, type Sample } from './sample.ts';

const scratch = scratchDirectory();
const PUSH: PushOptions = {
  ...{ mode: 'push', remove: 'nothing', visibleWithinMs: 5000 },
  patience: { attempts: 4, baseMs: 1 },
};
let github: GitHubServer;
let sample: Sample;

beforeAll(async () => {
  github = await startGitHub();
  sample = await sampleRepository(scratch);
  await sample.release('1.0.0', [1000, 300_000, 10, 20, 30, 40]);
});
beforeEach(() => {
  github.fault = () => undefined;
  github.log.length = 0;
});
afterAll(() => github.close());

function open(tag: string, environment: Record<string, string> = {}): Promise<PushTarget> {
  return openTarget(`github:${OWNER}/${REPOSITORY}/${tag}`, {
    environment: { GITHUB_API_URL: github.apiUrl, GITHUB_TOKEN: TOKEN, ...environment },
  });
}

function stored(tag: string): ReadonlyMap<string, string> {
  const assets = (github.releases.get(tag)?.assets ?? []).filter(({ state }) => state === 'uploaded');
  return new Map(assets.map(({ name, bytes }) => [name, sha256Of(bytes)] as const).sort());
}

async function expectWhole(tag: string): Promise<void> {
  expect(stored(tag)).toEqual(await contents(sample.directory));
}

test('everything arrives in a release that is made for it, the timestamp last; the second time nothing is sent', async () => {
  const target = await open('all');
  await pushRepository(sample.directory, target, PUSH);
  await expectWhole('all');
  const changes = github.log.filter((line) => !line.startsWith('GET'));
  expect(changes.at(-2)).toMatch(/^POST .*name=timestamp[.]json[.]coming&?$/);
  expect(changes.at(-1)).toMatch(/^PATCH /);
  github.log.length = 0;
  expect(await pushRepository(sample.directory, await open('all'), PUSH)).toMatchObject({ uploaded: [] });
  expect(github.log.filter((line) => !line.startsWith('GET'))).toEqual([]);
});

test('machines fetch it, by the redirections that GitHub answers with', async () => {
  await pushRepository(sample.directory, await open('fetched'), PUSH);
  const fetcher = createFetcher(createNodeSystem(), {
    mirrors: [github.downloadUrl('fetched')],
    scratch: join(scratch, 'fetch'),
  });
  const all = await contents(sample.directory);
  for (const name of [
    'timestamp.json',
    '1.root.json',
    ...[...all.keys()].filter((one) => one.endsWith('.payload')),
  ]) {
    const bytes = await fetcher.file(name, 1_000_000);
    expect(bytes === 'missing' ? bytes : sha256Of(bytes)).toBe(all.get(name));
  }
  expect(await fetcher.file('no.payload', 100)).toBe('missing');
});

test('a newer timestamp takes the place of the old one: only between two requests there is none', async () => {
  await pushRepository(sample.directory, await open('newer'), PUSH);
  await sample.touch();
  const seen: boolean[] = [];
  github.fault = () => {
    seen.push(stored('newer').has('timestamp.json'));
    return undefined;
  };
  github.log.length = 0;
  await pushRepository(sample.directory, await open('newer'), PUSH);
  // What was sent, without the one moment.
  expect(seen.filter((there) => !there)).toHaveLength(1);
  await expectWhole('newer');
});

test.each([
  ['behind the upload of the new timestamp', /^DELETE/],
  ['between the old one and the new one', /^PATCH/],
])('cut off %s: the next push ends it', async (what, where) => {
  const tag = `cut-${what.length}`;
  await pushRepository(sample.directory, await open(tag), PUSH);
  await sample.touch();
  github.fault = (line) => (where.test(line) ? { status: 0 } : undefined);
  await expect(pushRepository(sample.directory, await open(tag), PUSH)).rejects.toMatchObject({
    code: 'push.failed',
  });
  github.fault = () => undefined;
  await pushRepository(sample.directory, await open(tag), PUSH);
  await expectWhole(tag);
});

test('an upload that is cut off leaves a name without content: it is sent again, and what is there is not', async () => {
  github.fault = (line) =>
    line.includes('/uploads/') && line.includes('.payload') ? { status: 0 } : undefined;
  await expect(pushRepository(sample.directory, await open('broken'), PUSH)).rejects.toMatchObject({
    code: 'push.failed',
  });
  expect(github.releases.get('broken')?.assets.some(({ state }) => state === 'starter')).toBe(true);
  expect(stored('broken').has('timestamp.json')).toBe(false);
  github.fault = () => undefined;
  await pushRepository(sample.directory, await open('broken'), PUSH);
  await expectWhole('broken');
});

test('an upload that arrives, and whose answer does not, is no fault', async () => {
  const lost = new Set<string>();
  const target = await open('lost');
  const upload = target.upload.bind(target);
  // The server takes it, and the connection breaks: the first time for each.
  const flaky: PushTarget = {
    ...target,
    upload: async (files, done) => {
      await upload(files, () => undefined);
      const [file] = files;
      if (file !== undefined && !lost.has(file.name)) {
        lost.add(file.name);
        throw new Error('socket hang up');
      }
      files.forEach(done);
    },
  };
  await pushRepository(sample.directory, flaky, PUSH);
  await expectWhole('lost');
  expect(github.log.filter((line) => line.includes('.payload')).length).toBe(6);
});

test('rate limits are waited for as GitHub asks, or told when they are long', async () => {
  const notes: string[] = [];
  let requests = 0;
  const soon = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': `${Math.floor(Date.now() / 1000) + 1}` };
  github.fault = (line) => {
    requests += 1;
    if (line.startsWith('POST') && requests % 5 === 0)
      return { status: 429, headers: { 'retry-after': '0' } };
    return requests === 2 ? { status: 403, headers: soon, message: 'API rate limit exceeded' } : undefined;
  };
  await pushRepository(sample.directory, await open('limited'), {
    ...PUSH,
    patience: { attempts: 12, baseMs: 1 },
    note: (text) => notes.push(text),
  });
  await expectWhole('limited');
  expect(notes.some((note) => note.includes('API rate limit exceeded'))).toBe(true);
  const late = {
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': `${Math.floor(Date.now() / 1000) + 3000}`,
  };
  github.fault = () => ({ status: 403, headers: late });
  await expect(pushRepository(sample.directory, await open('limited'), PUSH)).rejects.toMatchObject({
    code: 'push.refused',
    message: 'GitHub wants to be left alone for 50 minutes',
  });
});

test('a wrong token, none, no right, no repository end at once, with a hint', async () => {
  const push = async (target: PushTarget): Promise<unknown> => pushRepository(sample.directory, target, PUSH);
  await expect(push(await open('x', { GITHUB_TOKEN: 'other' }))).rejects.toMatchObject({
    ...{ code: 'push.refused', message: expect.stringContaining('Bad credentials') as string, hint: /token/ },
  });
  await expect(open('x', { GITHUB_TOKEN: '' })).rejects.toMatchObject({ code: 'push.credentials' });
  github.fault = (line) =>
    line.startsWith('POST') ? { status: 403, message: 'Resource not accessible by integration' } : undefined;
  await expect(push(await open('x'))).rejects.toMatchObject({
    code: 'push.refused',
    hint: /Contents: write/,
  });
  github.fault = () => undefined;
  const nowhere = await openTarget('github:acme/elsewhere', {
    environment: { GITHUB_API_URL: github.apiUrl, GITHUB_TOKEN: TOKEN },
  });
  await expect(push(nowhere)).rejects.toMatchObject({ code: 'push.refused', hint: /no such repository/ });
});

test('what garbage collection took goes from the release with --delete', async () => {
  const target = await open('collected');
  await pushRepository(sample.directory, target, PUSH);
  await target.remove(['1.snapshot.json', 'gone.payload']);
  expect(stored('collected').has('1.snapshot.json')).toBe(false);
});

test.each(['github:acme', 'github:/', 'github:a b/c', 'github:acme/hosts/a/b', 'github:-x/y'])(
  '%s is no target',
  async (text) => {
    await expect(openTarget(text, { environment: { GITHUB_TOKEN: TOKEN } })).rejects.toMatchObject({
      code: 'usage.push-target',
    });
  },
);
