/**
 * A machine that runs `slip update` in tests: a real repository (in memory) and real metadata, the real switch protocol on a disk in memory; only what fills
 * the slot is left out, and the UKI is a text.
 */
import { SETTINGS } from './settings.ts';
import { createHash } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { SlipwayError } from '../../../spec/error.ts';
import { UPDATE_PATHS, type UpdateSettings } from '../../../spec/update.ts';
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import { createNodeSystem } from '../../../system/node.ts';
import { openContext, type Context } from '../../../updater/device/context.ts';
import type { FetchConfig } from '../../../updater/device/fetch/config.ts';
import { createFetcher, type Fetcher } from '../../../updater/device/fetch/fetcher.ts';
import { createOutput } from '../../../updater/device/output.ts';
import { guardBoot } from '../../../updater/device/scrub/guard-boot.ts';
import { NO_SCRUB, readScrubMemory, writeScrubMemory } from '../../../updater/device/scrub/memory.ts';
import { scrubUkis } from '../../../updater/device/scrub/ukis.ts';
import { MACHINE_PARTS, type Parts } from '../../../updater/device/parts.ts';
import { commitSlot } from '../../../updater/device/switch/commit-slot.ts';
import { confirm } from '../../../updater/device/switch/confirm.ts';
import { ukiEntries } from '../../../updater/device/switch/entries.ts';
import { fail } from '../../../updater/device/switch/fail.ts';
import { otherSlot, type RunningVersion } from '../../../updater/device/switch/facts.ts';
import { installUki } from '../../../updater/device/switch/install-uki.ts';
import { nextPhase } from '../../../updater/device/switch/next-phase.ts';
import { prepareSlot } from '../../../updater/device/switch/prepare.ts';
import { reconcile } from '../../../updater/device/switch/reconcile.ts';
import { changeRecord, loadRecord } from '../../../updater/device/switch/record-store.ts';
import { rollback } from '../../../updater/device/switch/rollback.ts';
import type { Unmet } from '../../../updater/device/switch/requirements.ts';
import { makeSuperblock, slotContent } from '../../../updater/device/switch/superblock.ts';
import { switchTo } from '../../../updater/device/switch/switch-to.ts';
import { runUpdate } from '../../../updater/device/update.ts';
import {
  releaseTargetName,
  type ReleaseEntry,
  type ReleaseManifest,
} from '../../../updater/release/document.ts';
import { EPOCH_MS, makeRepository, type TestRepository } from '../tuf-repository.ts';
import { rootedSystem, type RootedSystem } from './rooted-system.ts';
import {
  machineOn,
  manifestOf,
  runningVersion,
  sha256,
  ukiOf,
  type MemoryDisk,
} from './switch/memory-disk.ts';

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** Of `--json`. */
  readonly json: () => Record<string, unknown>;
}

export interface TestMachine {
  readonly system: RootedSystem;
  readonly repository: TestRepository;
  readonly disk: MemoryDisk;
  running: RunningVersion;
  clockMs: number;
  /** How often the machine was asked to restart. */
  restarts: number;
  /** Whether its network works. */
  online: boolean;
  /** In place of one that reads the repository in memory. */
  createFetcher: ((config: FetchConfig) => Fetcher) | undefined;
  /** Called before each part that works on the machine: throws what goes wrong there. */
  before: (part: string) => void | Promise<void>;
  /** Of the running version's verity tree. */
  salt: string | undefined;
  /** Why this machine cannot run any release. */
  unmet: readonly Unmet[];
  /** Parts that were called, in order. */
  readonly called: string[];
  /** Files in place of the slots' devices. */
  slots: Readonly<Record<'a' | 'b', { readonly data: string; readonly tree: string }>> | undefined;
  /** Directory of payloads that can be streamed. */
  payloads: string | undefined;
  /** What the commands get. */
  context(): Context;
  /** `slip update ...`. */
  update(...argv: readonly string[]): Promise<Outcome>;
  /** Restarts into what the boot loader would choose: the newest that has tries left. */
  restart(): Promise<void>;
  /** slipd found the trial good, or not. */
  judge(verdict: 'good' | 'bad', reason?: string): Promise<void>;
}

/** A machine on 1.0.0, with a signed, empty repository. */
export async function testMachine(
  folder: string,
  options: { readonly settings?: Partial<UpdateSettings>; readonly before?: string } = {},
): Promise<TestMachine> {
  const repository = await makeRepository();
  let stdout = '';
  let stderr = '';
  const place = mkdtempSync(join(folder, 'machine-'));
  const base = rootedSystem(place, {
    wallClockMs: () => machine.clockMs,
    log: (line) => (stderr += `${line}\n`),
  });
  const system: RootedSystem = {
    ...base,
    isTerminal: () => false,
    write: (fd, bytes) => {
      if (fd === 1) stdout += base.decode(bytes);
      else if (fd === 2) stderr += base.decode(bytes);
      else return base.write(fd, bytes);
      return bytes.length;
    },
  };
  system.give(
    UPDATE_PATHS.config,
    JSON.stringify({ format: '1.0', settings: { ...SETTINGS, ...options.settings } }),
  );
  system.give(UPDATE_PATHS.root, Buffer.from(repository.root()).toString());
  system.give(MACHINE_PATHS.description, '{}');
  const built = EPOCH_MS / 1000 - 86_400;
  utimesSync(system.place(MACHINE_PATHS.description), built, built);
  system.give('/var/lib/slipway/host-id', '0123456789abcdef0123456789abcdef - -\n');

  const machine: TestMachine = {
    system,
    repository,
    disk: machineOn('1.0.0', options.before),
    running: runningVersion('1.0.0'),
    clockMs: EPOCH_MS + 3_600_000,
    restarts: 0,
    online: true,
    createFetcher: undefined,
    before: () => undefined,
    salt: undefined,
    unmet: [],
    called: [],
    slots: undefined,
    payloads: undefined,
    context: () =>
      openContext(system, parts(), {
        output: createOutput(system, 'text'),
        terminal: false,
        checkInterrupted: () => undefined,
      }),
    update: async (...argv) => {
      [stdout, stderr] = ['', ''];
      const code = await runUpdate(system, argv, { parts: parts(), checkInterrupted: () => undefined });
      const said = stdout;
      return { code, stdout: said, stderr, json: () => JSON.parse(said) as Record<string, unknown> };
    },
    restart: async () => {
      const chosen = machine.disk
        .names()
        .map((name) => /^minimal_([^+]+?)(?:\+(\d+)(?:-(\d+))?)?\.efi$/.exec(name))
        .filter((match) => match !== null && match[2] !== '0')
        .sort((a, b) => (b?.[1] ?? '').localeCompare(a?.[1] ?? ''))[0];
      if (chosen?.[1] === undefined) throw new Error('nothing boots');
      const [name, version, left, done] = chosen;
      if (left !== undefined) {
        const bytes = machine.disk.files.get(`EFI/Linux/${name}`);
        machine.disk.files.delete(`EFI/Linux/${name}`);
        const counted = `EFI/Linux/minimal_${version}+${Number(left) - 1}-${Number(done ?? '0') + 1}.efi`;
        machine.disk.files.set(counted, bytes ?? new Uint8Array());
      }
      const other = otherSlot(machine.running.slot);
      const slot = version === machine.running.version ? machine.running.slot : other;
      machine.running = runningVersion(version, slot, left !== undefined);
      await reconcile(machine.disk, { running: machine.running, nowSeconds: now(), fallbackFrom: undefined });
    },
    judge: async (verdict, reason = 'gate web is not healthy') => {
      if (verdict === 'good') {
        await confirm(machine.disk, machine.running, now());
        machine.running = { ...machine.running, trial: false };
      } else await fail(machine.disk, machine.running, reason, ['web: cannot open its door'], now());
    },
  };
  const now = (): number => Math.floor(machine.clockMs / 1000);

  const parts = (): Parts => {
    const part = async <Result>(name: string, body: () => Promise<Result>): Promise<Result> => {
      machine.called.push(name);
      await machine.before(name);
      return body();
    };
    const { disk } = machine;
    return {
      ...MACHINE_PARTS,
      createFetcher: (_system, config) => machine.createFetcher?.(config) ?? fetcherOf(machine),
      readRunning: () => machine.running,
      readRecord: () => loadRecord(disk),
      readBoot: () =>
        part('readBoot', async () => {
          const other = otherSlot(machine.running.slot);
          const devices = (slot: 'a' | 'b') => ({
            slot,
            dataDevice: machine.slots?.[slot].data ?? '',
            verityDevice: machine.slots?.[slot].tree ?? '',
            sizeBytes: 2 ** 30,
          });
          return {
            running: machine.running,
            source: { ...devices(machine.running.slot), rootHash: machine.running.rootHash },
            target: { ...devices(other), content: slotContent(await disk.readSuperblock(other)) },
            entries: await disk.withEsp(ukiEntries),
            record: await loadRecord(disk),
          };
        }),
      readSalt: () => machine.salt,
      unmetBy: () => Promise.resolve(machine.unmet),
      nextPhase: (_system, manifest) => nextPhase(disk, machine.running, manifest),
      prepareSlot: (_system, manifest) =>
        part('prepareSlot', () => prepareSlot(disk, machine.running, manifest, now())),
      checkpoint: (_system, checkpoint) =>
        part('checkpoint', async () => {
          await changeRecord(disk, (record) => ({
            ...record,
            attempt: record.attempt === null ? null : { ...record.attempt, checkpoint },
          }));
        }),
      applyRoot: (_system, { manifest, checkpoint, progress }) =>
        part('applyRoot', async () => {
          progress({ phase: 'root', doneBytes: 0, totalBytes: 100, receivedBytes: 0 });
          await checkpoint({ payload: manifest.root.full.sha256, operations: 1 });
          progress({ phase: 'root', doneBytes: 100, totalBytes: 100, receivedBytes: 60 });
          return { kind: 'full', receivedBytes: 60 };
        }),
      commitSlot: (_system, manifest) =>
        part('commitSlot', () => commitSlot(disk, machine.running, manifest)),
      installUki: (_system, manifest, produce) =>
        part('installUki', () => installUki(disk, machine.running, manifest, produce)),
      applyUki: (_system, { manifest, outputPath }) =>
        part('applyUki', () => {
          const made = ['0.9.0', '1.0.1', '1.1.0', '1.2.0', '1.3.0']
            .map(ukiOf)
            .find((text) => sha256(text) === manifest.uki.sha256);
          writeFileSync(outputPath, made ?? '');
          return Promise.resolve('full' as const);
        }),
      switchTo: (_system, manifest) =>
        part('switchTo', () => switchTo(disk, machine.running, manifest, { interfaces: [] }, now())),
      scrubUkis: (_system, options) =>
        part('scrubUkis', () =>
          scrubUkis({
            ...options,
            disk,
            running: machine.running,
            copy: (from, output) => Promise.resolve(copyFileSync(from, output)),
          }),
        ),
      mendSuperblock: (_system, slot, root) =>
        part('mendSuperblock', async () => {
          await disk.writeSuperblock(slot, makeSuperblock(root));
          const tree = machine.slots?.[slot].tree;
          if (tree !== undefined) overwrite(tree, disk.superblocks[slot]);
        }),
      guardBoot: async () => {
        const memory = await guardBoot({
          disk,
          running: machine.running,
          memory: readScrubMemory(system) ?? NO_SCRUB,
          copy: (from, output) => Promise.resolve(copyFileSync(from, output)),
        });
        await writeScrubMemory(system, memory);
      },
      rollback: (_system, reason) => part('rollback', () => rollback(disk, machine.running, reason, now())),
      reboot: () => {
        machine.restarts++;
      },
    };
  };
  return machine;
}

export interface Release {
  readonly entry?: Partial<ReleaseEntry>;
  readonly manifest?: Partial<ReleaseManifest>;
}

/** Adds a release to the repository and publishes it. Everybody has it at once, unless told. */
export async function publish(
  { repository }: TestMachine,
  version: string,
  release: Release = {},
): Promise<void> {
  const manifest = manifestOf(version, release.manifest);
  const bytes = Buffer.from(JSON.stringify(manifest));
  const entry: ReleaseEntry = {
    format: '1.0',
    requires: [],
    image: 'minimal',
    version,
    architecture: 'amd64',
    channels: { stable: { startsAt: EPOCH_MS / 1000, curve: [[0, 1_000_000]] } },
    sequence: 1,
    barrier: false,
    withoutBrake: 'hold',
    ...release.entry,
  };
  const name = releaseTargetName(entry);
  const digest = createHash('sha256').update(bytes).digest('hex');
  repository.files.set(`${digest}.${name}`, bytes);
  repository.targets = {
    ...repository.targets,
    [name]: { sizeBytes: bytes.length, sha256: digest, custom: entry },
  };
  await repository.publish();
}

function fetcherOf(machine: TestMachine): Fetcher {
  let received = 0;
  return {
    file: async (name, limitBytes) => {
      if (!machine.online) throw new SlipwayError('fetch.failed', 'no mirror could be read: no route');
      const bytes = await machine.repository.fetch(name, limitBytes);
      if (bytes !== 'missing') received += bytes.length;
      return bytes;
    },
    stream: (name, offset, endBytes) => {
      if (machine.payloads === undefined) throw new Error('nothing is streamed in these tests');
      const scratch = join(machine.payloads, '../fetch');
      return createFetcher(createNodeSystem(), { mirrors: [machine.payloads], scratch }).stream(
        name,
        offset,
        endBytes,
      );
    },
    receivedBytes: () => received,
  };
}

function overwrite(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'r+');
  writeSync(file, bytes, 0, bytes.length, 0);
  closeSync(file);
}
