/** A machine that runs: what slipd, the updater and an operator do, over the protocol's own functions and whatever lists of steps a test gives them. */
import { COMMIT_SLOT_STEPS, commitSlot } from '../../../updater/device/switch/commit-slot.ts';
import { CONFIRM_STEPS, confirm } from '../../../updater/device/switch/confirm.ts';
import { FAIL_STEPS, fail } from '../../../updater/device/switch/fail.ts';
import { otherSlot, type RunningVersion } from '../../../updater/device/switch/facts.ts';
import { INSTALL_UKI_STEPS, installUki } from '../../../updater/device/switch/install-uki.ts';
import { advanceLoader, LOADER_STEPS, mendLoader } from '../../../updater/device/switch/loader.ts';
import { nextPhase } from '../../../updater/device/switch/next-phase.ts';
import { PREPARE_STEPS, prepareSlot } from '../../../updater/device/switch/prepare.ts';
import { reconcile, RECONCILE_STEPS } from '../../../updater/device/switch/reconcile.ts';
import { changeRecord, loadRecord } from '../../../updater/device/switch/record-store.ts';
import type { UpdateRecord } from '../../../updater/device/switch/record-content.ts';
import { decodeRecord } from '../../../updater/device/switch/record.ts';
import { retry, RETRY_STEPS } from '../../../updater/device/switch/retry.ts';
import { rollback, ROLLBACK_STEPS } from '../../../updater/device/switch/rollback.ts';
import { SWITCH_STEPS, switchTo } from '../../../updater/device/switch/switch-to.ts';
import { VENDORS } from '../../../updater/device/switch/boot-disk.ts';
import { startMachine, Violation, type Boot } from './firmware.ts';
import { flushSectors, patchSector, SECTOR_BYTES, writeAllInodes, type Random } from './medium.ts';
import { simulatedDisk, type SimulatedDisk } from './simulated-disk.ts';
import {
  digestOf,
  loaderContent,
  region,
  releaseOf,
  rootContent,
  treeContent,
  ukiContent,
  type Ledger,
  type World,
} from './world.ts';

export const PROTOCOL = {
  prepare: PREPARE_STEPS,
  commitSlot: COMMIT_SLOT_STEPS,
  install: INSTALL_UKI_STEPS,
  switch: SWITCH_STEPS,
  confirm: CONFIRM_STEPS,
  fail: FAIL_STEPS,
  rollback: ROLLBACK_STEPS,
  reconcile: RECONCILE_STEPS,
  retry: RETRY_STEPS,
  loader: LOADER_STEPS,
} as const;
export type Protocol = typeof PROTOCOL;

export class PowerCut extends Error {}

export interface Machine {
  readonly world: World;
  readonly disk: SimulatedDisk;
  /** Until this version is committed; or, where something is wrong with it, until the machine is back on the one before. */
  readonly update: (version: string) => Promise<void>;
  /** One step towards that; false when there is nothing left to do. */
  readonly step: (version: string) => Promise<boolean>;
  readonly rollback: () => Promise<void>;
  /** An orderly restart in the midst of a trial. */
  readonly retry: () => Promise<void>;
  readonly updateLoader: (version: string) => Promise<void>;
  /** What each start does: a copy that has rotted becomes what the other is. */
  readonly mendLoader: () => Promise<void>;
  readonly restart: () => Promise<void>;
  readonly running: () => Promise<RunningVersion>;
  readonly record: () => Promise<UpdateRecord>;
}

export interface MachineOptions {
  readonly protocol: Protocol;
  /** Behind each change of the disk; may throw PowerCut. */
  readonly tick: (what: string) => Promise<void> | void;
  readonly random: Random;
}

const NOW = 1_800_000_000;
const MOST_STEPS = 30;

export function startUp(world: World, { protocol, tick, random }: MachineOptions): Machine {
  const disk = simulatedDisk(
    world,
    async (what) => {
      if (what === 'flush record') {
        const { sequence } = decodeRecord(await disk.readRecord());
        note({ sequence });
      }
      await tick(what);
    },
    random,
  );
  let boot: Boot | undefined;
  const note = (change: Partial<Ledger>): void => {
    world.ledger = { ...world.ledger, ...change };
  };
  const promise = (next: string | undefined): void => {
    const { next: _, ...rest } = world.ledger;
    world.ledger = next === undefined ? rest : { ...rest, next };
  };

  const up = async (): Promise<RunningVersion> => {
    if (boot !== undefined) return boot.running;
    const started = await startMachine(world, tick, random);
    const { running, fallbackFrom } = started;
    const next = running.trial ? undefined : running.version;
    promise(fallbackFrom === undefined ? next : undefined);
    await reconcile(disk, { running, nowSeconds: NOW, fallbackFrom }, protocol.reconcile);
    promise(next);
    const record = await loadRecord(disk);
    note({ failed: new Set(record.failed.map(({ version }) => version)) });
    boot = started;
    return running;
  };

  /** In good order: nothing stays in a cache. */
  const restart = (): void => {
    writeAllInodes(world.medium);
    flushSectors(world.medium, [...world.medium.pending.keys()]);
    boot = undefined;
  };

  const stream = async (running: RunningVersion, version: string): Promise<void> => {
    const slot = otherSlot(running.slot);
    const parts = [
      [region(`data-${slot}`), rootContent(version)],
      [region(`tree-${slot}`) + 1, treeContent(version)],
    ] as const;
    for (const [start, bytes] of parts)
      for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
        patchSector(world.medium, start + at / SECTOR_BYTES, 0, bytes.subarray(at, at + SECTOR_BYTES));
        if (at % (2 * SECTOR_BYTES) === 0) await tick(`stream to ${slot}`);
        // The checkpoint of a download that goes on.
        if (at === 2 * SECTOR_BYTES)
          await changeRecord(disk, (record) => ({
            ...record,
            attempt:
              record.attempt === null
                ? null
                : { ...record.attempt, checkpoint: { payload: digestOf(bytes), operations: at } },
          }));
      }
  };

  const bring = async (running: RunningVersion, version: string): Promise<void> => {
    const release = releaseOf(version);
    note({ target: version });
    promise(running.version);
    for (let round = 0; round < MOST_STEPS; round++) {
      switch (await nextPhase(disk, running, release)) {
        case 'prepare':
          await prepareSlot(disk, running, release, NOW, protocol.prepare);
          await stream(running, version);
          await commitSlot(disk, running, release, protocol.commitSlot);
          break;
        case 'install':
          await installUki(
            disk,
            running,
            release,
            (output) => disk.append(output, ukiContent(version)),
            protocol.install,
          );
          break;
        case 'switch':
          note({ mayRun: new Set([...world.ledger.mayRun, version]) });
          promise(undefined);
          await switchTo(disk, running, release, { interfaces: [] }, NOW, protocol.switch);
          promise(version);
          await tick('the switch is done');
          break;
        case 'restart':
          return;
      }
    }
    throw new Violation(`${version} is never brought here`);
  };

  const judge = async (running: RunningVersion): Promise<void> => {
    const { version } = running;
    if (world.behaviour[version] === 'unhealthy' || world.behaviour[version] === 'falters') {
      const before = (await loadRecord(disk)).trial?.previous.version;
      const outcome = await fail(disk, running, 'a gate is not healthy', ['log'], NOW, protocol.fail);
      if (outcome.action === 'stay')
        throw new Violation(`${version} is not good, and the machine stays: ${outcome.why}`);
      note({ failed: new Set([...world.ledger.failed, version]) });
      promise(before);
      await tick('the trial is given up');
      restart();
      return;
    }
    note({ good: new Set([...world.ledger.good, version]) });
    await confirm(disk, running, NOW, protocol.confirm);
    boot = { ...boot!, running: { ...running, trial: false } };
    world.variables = new Map([...world.variables].filter(([key]) => !key.startsWith('LoaderBootCountPath')));
    note({
      mayRun: new Set([version]),
      failed: new Set([...world.ledger.failed].filter((failed) => failed !== version)),
    });
    promise(version);
    await tick('the version is confirmed');
    const { trial, committed } = await loadRecord(disk);
    if (trial !== null || committed?.version !== version)
      throw new Violation(`${version} was confirmed, and the record does not say so`);
  };

  const bootOnceThrough = async (path: string): Promise<boolean> => {
    const bytes = Buffer.from(`${path}\0`, 'utf16le');
    await disk.writeVariable({ name: 'BootNext', vendor: VENDORS.firmware }, bytes);
    return true;
  };

  const step = async (version: string): Promise<boolean> => {
    const running = await up();
    if (running.trial) {
      await judge(running);
      return true;
    }
    if (running.version === version) {
      const { committed } = await loadRecord(disk);
      if (committed?.version !== version)
        throw new Violation(`${version} runs and is not recorded as committed`);
      return false;
    }
    const { failed } = await loadRecord(disk);
    if (world.behaviour[version] !== undefined && failed.some((known) => known.version === version))
      return false;
    await bring(running, version);
    restart();
    return true;
  };

  return {
    world,
    disk,
    step,
    update: async (version) => {
      for (let round = 0; round < MOST_STEPS; round++) if (!(await step(version))) return;
      throw new Violation(`the update to ${version} never ends`);
    },
    rollback: async () => {
      const running = await up();
      promise(undefined);
      const older = [...world.ledger.good].filter((version) => version !== running.version);
      note({ mayRun: new Set([running.version, ...older]) });
      const version = await rollback(disk, running, 'by hand', NOW, protocol.rollback);
      note({ failed: new Set([...world.ledger.failed, running.version]), mayRun: new Set([version]) });
      promise(version);
      await tick('the rollback is done');
      restart();
      const now = await up();
      if (now.version !== version)
        throw new Violation(`rolled back to ${version}, and ${now.version} came up`);
    },
    retry: async () => {
      const running = await up();
      if (!running.trial) throw new Violation('there is no trial');
      await retry(disk, running, protocol.retry);
      promise(running.version);
      await tick('the try is given back');
      restart();
    },
    mendLoader: async () => {
      await up();
      await mendLoader(disk, { architecture: 'amd64', bootOnceThrough }, protocol.loader);
    },
    updateLoader: async (version) => {
      for (let round = 0; round < 5; round++) {
        await up();
        const state = await advanceLoader(
          disk,
          {
            architecture: 'amd64',
            sha256: digestOf(loaderContent(version)),
            bytes: () => loaderContent(version),
            bootOnceThrough,
          },
          protocol.loader,
        );
        if (state === 'done') return;
        if (state === 'impossible') throw new Violation('the boot loader cannot be updated');
        restart();
      }
      throw new Violation('the update of the boot loader never ends');
    },
    restart: async () => {
      restart();
      await up();
    },
    running: up,
    record: () => loadRecord(disk),
  };
}
