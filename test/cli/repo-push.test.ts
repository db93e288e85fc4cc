/** `slipway repo push` as users call it, to each kind of place; over SSH: test/updater/repository/push/sftp.test.ts. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { pushCommand } from '../../cli/repo-push.ts';
import { scratchDirectory } from '../builder/scratch.ts';
import {
  OWNER,
  REPOSITORY,
  startGitHub,
  TOKEN,
  type GitHubServer,
} from '../updater/repository/push/github-server.ts';
import { BUCKET, CREDENTIALS, startS3, type S3Server } from '../updater/repository/push/s3-server.ts';
import { contents, sampleRepository, sha256Of, type Sample } from '../updater/repository/push/sample.ts';

const directory = scratchDirectory();
let sample: Sample;
let github: GitHubServer;
let store: S3Server;
let output = '';

beforeAll(async () => {
  [sample, github, store] = [await sampleRepository(directory), await startGitHub(), await startS3()];
  await sample.release('1.0.0', [1000, 2000]);
  await mkdir(folder);
});
afterAll(async () => {
  await github.close();
  await store.close();
});

beforeEach(() => {
  output = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    output += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

const push = (...argv: string[]) =>
  pushCommand()
    .exitOverride()
    .parseAsync([sample.directory, ...argv], { from: 'user' });

const folder = join(directory, 'updates');
const places = [
  ['a folder', folder, () => contents(folder)],
  [
    'an S3 store',
    `s3://${BUCKET}/hosts`,
    () =>
      new Map(
        [...store.objects]
          .map(([key, { bytes }]) => [key.replace(/^hosts\//, ''), sha256Of(bytes)] as const)
          .sort(),
      ),
  ],
  [
    'GitHub',
    `github:${OWNER}/${REPOSITORY}`,
    () =>
      new Map(
        (github.releases.get('updates')?.assets ?? [])
          .map(({ name, bytes }) => [name, sha256Of(bytes)] as const)
          .sort(),
      ),
  ],
] as const;

describe.each(places)('slipway repo push to %s', (_, target, stored) => {
  beforeEach(() => {
    const environment = {
      ...CREDENTIALS,
      AWS_ENDPOINT_URL: store.endpoint,
      GITHUB_API_URL: github.apiUrl,
      GITHUB_TOKEN: TOKEN,
    };
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  });

  test('tells first what it would send; sends all of it; and nothing the second time', async () => {
    const all = await contents(sample.directory);
    await push(target, '--dry-run');
    expect(output).toContain(`would be sent to`);
    expect((await stored()).size).toBe(0);
    output = '';
    await push(target);
    expect(output).toMatch(
      new RegExp(
        `^sent to .*: ${all.size - 1} files, .*; 0 were there already\ntimestamp \\d+ is visible\n$`,
      ),
    );
    expect(await stored()).toEqual(all);
    output = '';
    await push(target, '--json');
    expect(JSON.parse(output)).toMatchObject({ uploaded: [], timestamp: { changed: false } });
  });
});
