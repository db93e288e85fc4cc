/** Real pairs of images: what machines in the field would go from and to. */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildImage } from '../../builder/build/build.ts';
import { readImage } from '../../builder/build/prepare.ts';
import { readLock, type LockFile } from '../../builder/lock/lock-file.ts';
import { resolveLock } from '../../builder/lock/resolve.ts';
import { writeFileAtomic } from '../../builder/cache/directory.ts';
import type { Progress } from '../../builder/progress.ts';
import { testKeys } from '../../test/boot/image.ts';

/** What a machine has of an image, and the folder of its build, with the disk that it came on. */
export interface Built {
  readonly root: string;
  readonly uki: string;
  readonly disk: string;
  readonly directory: string;
}

export interface Pair {
  readonly name: 'security round' | 'one file' | 'kernel';
  readonly from: Built;
  readonly to: Built;
}

const WORK = resolve('build/bench/update');
const SOURCES = ['system-containers', 'bench/images', 'images'];

/**
 * `definition` built from the packages of the release and from today's with their security updates (but the same kernel), with one changed service file
 * beside the latter, and with today's kernel. Every build uses the lock that is kept under build/bench/update, so that a second run measures the same.
 */
export async function makePairs(definition: string): Promise<readonly Pair[]> {
  const { place, build, release, secured, updated } = await preparePairs(definition);
  const before = await build('1.0.0', release);
  const after = await build('1.0.1', secured);
  const newKernel = await build('1.0.2', updated);
  const configuration = join(place, 'system-containers/time/files/etc/chrony/chrony.conf');
  await writeFile(configuration, `${await readFile(configuration, 'utf8')}# one changed line\n`);
  const oneFile = await build('1.0.3', secured);
  return [
    { name: 'security round', from: before, to: after },
    { name: 'one file', from: after, to: oneFile },
    { name: 'kernel', from: after, to: newKernel },
  ];
}

/** The first of these pairs alone. */
export async function makeSecurityRound(definition: string): Promise<Pair> {
  const { build, release, secured } = await preparePairs(definition);
  return {
    name: 'security round',
    from: await build('1.0.0', release),
    to: await build('1.0.1', secured),
  };
}

interface Preparation {
  readonly place: string;
  readonly build: (version: string, lock: LockFile) => Promise<Built>;
  readonly release: LockFile;
  readonly secured: LockFile;
  readonly updated: LockFile;
}

async function preparePairs(definition: string): Promise<Preparation> {
  const name = /([^/]+)\.yaml$/.exec(definition)?.[1] ?? 'image';
  const place = join(WORK, name, 'source');
  await rm(place, { recursive: true, force: true });
  for (const folder of SOURCES) await cp(folder, join(place, folder), { recursive: true });
  const file = join(place, definition);

  const { release, updated } = await locks(name, file);
  const kernel = (lock: LockFile): LockFile['packages'] =>
    lock.packages.filter((each) => each.name === lock.requested.kernelResolved);
  // The kernel is a pair of its own: its compressed payload differs wholly, and would hide the rest.
  const secured: LockFile = {
    ...updated,
    packages: [
      ...updated.packages.filter((each) => !kernel(updated).includes(each)),
      ...kernel(release),
    ].sort((a, b) => (a.name < b.name ? -1 : 1)),
    requested: { ...updated.requested, kernelResolved: release.requested.kernelResolved },
  };
  return {
    place,
    build: (version, lock) => buildVersion(file, name, version, lock),
    release,
    secured,
    updated,
  };
}

async function locks(name: string, file: string): Promise<{ release: LockFile; updated: LockFile }> {
  const image = await readImage(file, []);
  const kept = async (kind: string, make: () => Promise<LockFile>): Promise<LockFile> => {
    const path = join(WORK, name, `${kind}.lock`);
    if (!existsSync(path)) await writeFileAtomic(path, `${JSON.stringify(await make(), undefined, 2)}\n`);
    const lock = await readLock(path);
    if (lock === undefined) throw new Error(`${path} is gone`);
    return lock;
  };
  return {
    release: await kept('release', () => resolveLock(image, { suites: [image.distribution.suite] })),
    updated: await kept('updated', () => resolveLock(image)),
  };
}

async function buildVersion(file: string, name: string, version: string, lock: LockFile): Promise<Built> {
  const output = join(WORK, name, version);
  await mkdir(output, { recursive: true });
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.replace(/^version: .*$/m, `version: ${version}`));
  const image = await readImage(file, []);
  const { uki, disk } = await buildImage(image, {
    lock,
    keys: await testKeys(),
    output,
    progress,
    measure: 'quick',
  });
  return { uki, root: uki.replace(/\.efi$/, '.root.erofs'), disk, directory: output };
}

const progress: Progress = {
  step: (_step, work) => work(),
  bytes: () => undefined,
  note: (text) => {
    process.stderr.write(`${text}\n`);
  },
};
