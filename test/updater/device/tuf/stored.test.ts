/** failure 40: whatever lies in the directory of metadata, the machine recovers by itself, and believes none of it. */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createNodeSystem } from '../../../../system/node.ts';
import type { System } from '../../../../system/system.ts';
import { loadMetadata, refreshMetadata } from '../../../../updater/device/tuf/refresh.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { EPOCH_MS, makeRepository, makeRole, type TestRepository } from '../../tuf-repository.ts';
import { createQuickSystem } from '../quick-system.ts';
import { makeMachine, type TestMachine } from './machine.ts';

const scratch = scratchDirectory();
const GOOD = { sizeBytes: 1, sha256: 'a'.repeat(64) };

let repository: TestRepository;
let machine: TestMachine;

beforeEach(async () => {
  repository = await makeRepository();
  const image = repository.root();
  await repository.rotateRoot({ timestamp: await makeRole() });
  repository.targets = { r: GOOD };
  await repository.publish();
  machine = makeMachine(scratch, repository, image);
  await machine.refresh();
});

const DAMAGES: Readonly<Record<string, (path: string) => void>> = {
  missing: (path) => fs.rmSync(path),
  empty: (path) => fs.writeFileSync(path, ''),
  'cut in half': (path) => fs.truncateSync(path, Math.floor(fs.statSync(path).size / 2)),
  zeros: (path) => fs.writeFileSync(path, Buffer.alloc(fs.statSync(path).size)),
  'random bytes': (path) => fs.writeFileSync(path, Buffer.from('9f\u0000\u{1F600}{]"', 'utf8')),
  'another document': (path) =>
    fs.copyFileSync(join(path.replace(/metadata\/.*/, 'metadata'), 'snapshot.json'), path),
  'one byte changed': (path) => {
    const bytes = fs.readFileSync(path);
    const at = bytes.indexOf('"version":') + '"version":'.length;
    bytes[at] = 0x39;
    fs.writeFileSync(path, bytes);
  },
  'larger than it may be': (path) => fs.truncateSync(path, 20_000_000),
  'a directory': (path) => {
    fs.rmSync(path);
    fs.mkdirSync(join(path, 'full/of'), { recursive: true });
  },
  'a link out of the directory': (path) => {
    fs.rmSync(path);
    fs.symlinkSync('/etc/hostname', path);
  },
  'a FIFO': (path) => {
    fs.rmSync(path);
    execFileSync('mkfifo', [path]);
  },
};
const DOCUMENTS = [
  'timestamp.json',
  'snapshot.json',
  'targets.json',
  'rollout-stable.json',
  'roots/2.root.json',
];

describe('failure 40: a stored document', () => {
  describe.each(DOCUMENTS)('%s', (name) => {
    test.each(Object.keys(DAMAGES))('that is %s', async (kind) => {
      DAMAGES[kind]?.(join(machine.directory, name));
      for (const memory of [machine.memory, join(scratch, 'none')]) {
        const loaded = await machine.load({ memory });
        if (name !== 'roots/2.root.json' && name !== 'targets.json')
          expect([...(loaded?.targets.keys() ?? [])]).toEqual(['r']);
        else if (kind !== 'another document' || loaded !== undefined)
          expect([...(loaded?.targets.keys() ?? ['r'])]).toEqual(['r']);
      }
      await repository.refresh();
      expect([...(await machine.refresh()).targets.keys()]).toEqual(['r']);
      expect(await machine.load()).toMatchObject({ timestampExpired: false });
      const versioned = /^(snapshot|targets|rollout)/.test(name) ? `2.${name}` : name.replace('roots/', '');
      expect(new Uint8Array(fs.readFileSync(join(machine.directory, name)))).toEqual(
        repository.files.get(versioned),
      );
    });
  });
});

describe('failure 40: the directory', () => {
  test.each<[string, (path: string) => void]>([
    ['is missing', (path) => fs.rmSync(path, { recursive: true })],
    [
      'is a file',
      (path) => {
        fs.rmSync(path, { recursive: true });
        fs.writeFileSync(path, 'x');
      },
    ],
    [
      'has a file in the place of the roots',
      (path) => {
        fs.rmSync(join(path, 'roots'), { recursive: true });
        fs.writeFileSync(join(path, 'roots'), 'x');
      },
    ],
    [
      'holds what an interrupted process left',
      (path) => fs.writeFileSync(join(path, '.new-1-targets.json'), 'x'),
    ],
    ['holds other people’s files', (path) => fs.writeFileSync(join(path, '%2e%2e.json'), 'x')],
  ])('%s', async (_, damage) => {
    damage(machine.directory);
    await machine.load();
    await repository.refresh();
    expect((await machine.refresh()).targets.size).toBe(1);
    expect(await machine.load()).toMatchObject({ timestampExpired: false });
    expect(fs.readdirSync(machine.directory).filter((name) => name.startsWith('.new-'))).toEqual([]);
  });

  test('on a full disk the answer is there all the same; only the memory is not', async () => {
    const lines: string[] = [];
    const system: System = {
      ...createQuickSystem({ wallClockMs: () => machine.clockMs, log: (line) => lines.push(line) }),
      write: () => 'failed',
    };
    repository.targets = { r: GOOD, next: GOOD };
    await repository.publish();
    const options = { directory: machine.directory, root: repository.root(), buildTimeMs: 0 };
    const metadata = await refreshMetadata(system, { ...options, fetch: repository.fetch });
    expect(metadata.targets.size).toBe(2);
    expect(lines.join()).toContain('cannot store metadata');
    expect(fs.readdirSync(machine.directory).filter((name) => name.startsWith('.new-'))).toEqual([]);
    expect((await machine.refresh()).targets.size).toBe(2);
  });
});

describe('the memory of what was verified', () => {
  test('saves signatures, and nothing else: what is not byte for byte the same is verified again', async () => {
    const path = join(machine.directory, 'targets.json');
    const text = fs.readFileSync(path, 'utf8');
    fs.writeFileSync(path, text.replace('a'.repeat(64), 'e'.repeat(64)));
    expect(await machine.load()).toBeUndefined();
    expect((await machine.refresh()).targets.get('r')?.sha256).toBe(GOOD.sha256);
  });

  test('does not outlive the root that it was made under', async () => {
    await repository.rotateRoot({ targets: await makeRole() });
    // The old targets key is trusted no more, but its document still stands in the snapshot.
    await repository.refresh();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.invalid' });
    expect(await machine.load()).toBeUndefined();
    await repository.publish();
    expect((await machine.refresh()).targets.size).toBe(1);
  });

  test.each([
    '',
    '{',
    'null',
    '{"root":{"version":2,"sha256":"x"},"roles":{}}',
    '{"root":null,"roles":null}',
  ])('may be lost or broken: %s', async (text) => {
    fs.writeFileSync(machine.memory, text);
    expect((await machine.load())?.targets.size).toBe(1);
    expect((await machine.refresh()).targets.size).toBe(1);
  });
});

/** Dies at the `at`th change of the disk; what was not synchronized by then is empty, as ext4 may leave it. */
function cutSystem(
  at: number,
  syncs: 'real' | 'none',
): { system: System; cut: () => void; count: () => number } {
  let changes = 0;
  const dirty = new Set<string>();
  const step = (): void => {
    if (++changes > at) throw new Error('power cut');
  };
  const base = createQuickSystem({ wallClockMs: () => EPOCH_MS + 3_600_000, log: () => undefined });
  const system: System = {
    ...base,
    open: (path, options) => {
      if (options.create === undefined) return base.open(path, options);
      step();
      dirty.add(path);
      return base.open(path, options);
    },
    write: (fd, bytes) => {
      step();
      return base.write(fd, bytes);
    },
    rename: (from, to) => {
      step();
      if (dirty.delete(from)) dirty.add(to);
      else dirty.delete(to);
      return base.rename(from, to);
    },
    remove: (path) => {
      step();
      dirty.delete(path);
      return base.remove(path);
    },
    makeDirectory: (path, mode) => {
      step();
      return base.makeDirectory(path, mode);
    },
    spawn: (argv, options) => {
      if (argv[0] === 'sync') {
        step();
        if (syncs === 'real') for (const path of argv.slice(1)) dirty.delete(path);
      }
      return base.spawn(argv, options);
    },
  };
  const cut = (): void => {
    for (const path of dirty) if (fs.existsSync(path)) fs.truncateSync(path, 0);
  };
  return { system, cut, count: () => changes };
}

describe('failure 40: the power is cut', () => {
  const OPTIONS = { buildTimeMs: 0 };

  test('at any change of the disk: the next start believes nothing half-written, and the next refresh succeeds', async () => {
    const image = repository.files.get('1.root.json') ?? new Uint8Array();
    const old = new Map(repository.files);
    await repository.rotateRoot({ snapshot: await makeRole() });
    await repository.publish();
    let whole = false;
    for (let at = 0; !whole; at++) {
      const directory = join(fs.mkdtempSync(join(scratch, 'cut-')), 'metadata');
      const all = { ...OPTIONS, directory, root: image };
      const before = createQuickSystem({ wallClockMs: () => EPOCH_MS + 3_600_000, log: () => undefined });
      await refreshMetadata(before, { ...all, fetch: (name) => Promise.resolve(old.get(name) ?? 'missing') });
      const { system, cut, count } = cutSystem(at, 'real');
      await refreshMetadata(system, { ...all, fetch: repository.fetch }).catch(() => undefined);
      whole = count() <= at;
      cut();
      const loaded = await loadMetadata(before, all);
      expect([...(loaded?.targets.keys() ?? ['r'])], `cut at change ${at}`).toEqual(['r']);
      if (whole) expect(loaded?.timestampExpired, 'all was written').toBe(false);
      const after = await refreshMetadata(before, { ...all, fetch: repository.fetch });
      expect(after.targets.size, `refresh after a cut at change ${at}`).toBe(1);
      expect(await loadMetadata(before, all)).toMatchObject({ timestampExpired: false });
      for (const name of fs.readdirSync(join(directory, 'roots')))
        expect(
          new Uint8Array(fs.readFileSync(join(directory, 'roots', name))),
          `${name} after ${at}`,
        ).toEqual(repository.files.get(name));
    }
  });

  test('after a refresh, and nothing of it is lost; without its synchronizing it would be', async () => {
    for (const syncs of ['real', 'none'] as const) {
      const directory = join(fs.mkdtempSync(join(scratch, 'cut-')), 'metadata');
      const all = { ...OPTIONS, directory, root: repository.root() };
      const { system, cut } = cutSystem(Infinity, syncs);
      await refreshMetadata(system, { ...all, fetch: repository.fetch });
      cut();
      expect((await loadMetadata(system, all)) !== undefined).toBe(syncs === 'real');
    }
  });
});

test('with the machine’s own programs: sha256sum, sync', async () => {
  const system = createNodeSystem({ wallClockMs: () => machine.clockMs });
  const all = { directory: join(scratch, 'real/metadata'), root: repository.root(), buildTimeMs: 0 };
  await refreshMetadata(system, { ...all, fetch: repository.fetch });
  expect(await loadMetadata(system, all)).toMatchObject({ timestampExpired: false });
});

test('a poll with a new timestamp starts three programs: digests of what is stored, and two to make it durable', async () => {
  await repository.refresh();
  machine.ran.length = 0;
  await machine.refresh();
  expect(machine.ran.map(([name]) => name)).toEqual(['sha256sum', 'sync', 'sync']);
});
