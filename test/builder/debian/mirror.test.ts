import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { findMirrors, mirrorsOf, type MirrorOptions } from '../../../builder/debian/mirror.ts';

const DEBIAN = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n';
const UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-apt-'));
  for (const name of ['SLIPWAY_MIRROR', 'SLIPWAY_SECURITY_MIRROR']) vi.stubEnv(name, '');
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

/** A machine whose apt is configured by these files. */
async function machine(files: Record<string, string>, osRelease = DEBIAN): Promise<MirrorOptions> {
  await mkdir(join(folder, 'sources.list.d'), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return {
    osRelease,
    aptOptions: [
      '-o',
      `Dir::Etc::SourceList=${folder}/sources.list`,
      '-o',
      `Dir::Etc::SourceParts=${folder}/sources.list.d`,
    ],
  };
}

describe("the machine's own apt names the mirrors", () => {
  test('in one-line style, with options, comments and foreign repositories', async () => {
    const options = await machine({
      'sources.list': [
        '# deb http://commented.invalid/debian bookworm main',
        'deb [arch=amd64] http://mirror.invalid/debian/ bookworm main contrib',
        'deb http://mirror.invalid/debian bookworm-updates main',
        'deb-src http://source.invalid/debian bookworm main',
        'deb http://sec.invalid/debian-security bookworm-security main',
      ].join('\n'),
      'sources.list.d/foreign.list': 'deb http://foreign.invalid/apt foreign main\n',
    });
    expect(await findMirrors({}, options)).toEqual({
      main: ['http://mirror.invalid/debian'],
      security: ['http://sec.invalid/debian-security'],
    });
  });

  test('in deb822 style, disabled stanzas left out', async () => {
    const options = await machine({
      'sources.list.d/debian.sources': [
        'Types: deb',
        'URIs: https://one.invalid/debian https://two.invalid/debian',
        'Suites: bookworm bookworm-updates',
        'Components: main',
        '',
        'Types: deb',
        'URIs: https://one.invalid/debian-security',
        'Suites: bookworm-security',
        'Components: main',
        '',
        'Types: deb',
        'URIs: https://off.invalid/debian',
        'Suites: bookworm',
        'Components: main',
        'Enabled: no',
        '',
      ].join('\n'),
    });
    expect(await findMirrors({}, options)).toEqual({
      main: ['https://one.invalid/debian', 'https://two.invalid/debian'],
      security: ['https://one.invalid/debian-security'],
    });
  });

  test('in a list of mirrors, as cloud images have it', async () => {
    await machine({});
    await writeFile(
      join(folder, 'debian.list'),
      '# mirrors\nhttps://near.invalid/debian\tpriority:1\nhttps://far.invalid/debian\n',
    );
    await writeFile(join(folder, 'security.list'), 'https://near.invalid/debian-security\n');
    const options = await machine({
      'sources.list': [
        `deb mirror+file:${folder}/debian.list bookworm main`,
        `deb mirror+file:${folder}/security.list bookworm-security main`,
      ].join('\n'),
    });
    expect(await findMirrors({}, options)).toEqual({
      main: ['https://near.invalid/debian', 'https://far.invalid/debian'],
      security: ['https://near.invalid/debian-security'],
    });
  });
});

test('image, then environment, then machine', async () => {
  const options = await machine({
    'sources.list':
      'deb http://host.invalid/debian bookworm main\ndeb http://host.invalid/debian-security bookworm-security main\n',
  });
  vi.stubEnv('SLIPWAY_MIRROR', 'http://environment.invalid/debian/');
  expect(await findMirrors({}, options)).toEqual({
    main: ['http://environment.invalid/debian'],
    security: ['http://environment.invalid/debian-security'],
  });
  expect(
    await findMirrors(
      { mirror: 'http://image.invalid/d', securityMirror: 'http://image.invalid/s' },
      options,
    ),
  ).toEqual({
    main: ['http://image.invalid/d'],
    security: ['http://image.invalid/s'],
  });
  vi.stubEnv('SLIPWAY_MIRROR', 'http://environment.invalid/all');
  expect(await findMirrors({}, options)).toEqual({
    main: ['http://environment.invalid/all'],
    security: ['http://host.invalid/debian-security'],
  });
});

test('another distribution without a mirror named: the error says how to name one', async () => {
  const options = await machine({ 'sources.list': 'deb http://ubuntu.invalid/ubuntu noble main\n' }, UBUNTU);
  await expect(findMirrors({}, options)).rejects.toMatchObject({
    code: 'debian.no-mirror',
    message: 'no main mirror of Debian is known: this machine does not run Debian',
    hint: expect.stringContaining('SLIPWAY_MIRROR') as string,
  });
  vi.stubEnv('SLIPWAY_MIRROR', 'http://environment.invalid/debian');
  await expect(findMirrors({}, options)).resolves.toBeDefined();
});

test('a Debian whose apt names no mirror of Debian', async () => {
  await expect(findMirrors({}, await machine({}))).rejects.toMatchObject({ code: 'debian.no-mirror' });
});

test('a machine that runs unstable: the security archive lies beside the main one', async () => {
  const options = await machine(
    { 'sources.list': 'deb http://host.invalid/debian sid main\n' },
    'ID=debian\nVERSION_CODENAME=forky\n',
  );
  expect(await findMirrors({}, options)).toEqual({
    main: ['http://host.invalid/debian'],
    security: ['http://host.invalid/debian-security'],
  });
});

test('security updates come from an archive of their own', () => {
  const mirrors = { main: ['m'], security: ['s'] };
  expect(
    ['trixie', 'trixie-updates', 'trixie-security', 'forky'].map((suite) => mirrorsOf(mirrors, suite)[0]),
  ).toEqual(['m', 'm', 's', 'm']);
});
