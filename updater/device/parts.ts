/** The parts that the commands compose, in one place: on the machine the real ones, in tests others for what needs a machine. */
import { MACHINE_PATHS } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { applyRoot } from './apply/apply.ts';
import { planDownload } from './apply/plan.ts';
import { applyUki } from './apply/uki.ts';
import { createFetcher } from './fetch/fetcher.ts';
import { pendingFiles, storePendingFile } from './switch/pending.ts';
import * as boot from './switch/switch.ts';
import type { RunningVersion } from './switch/facts.ts';
import { partitionDevice, readRunning } from './switch/machine-parts.ts';
import { loadMetadata, refreshMetadata } from './tuf/refresh.ts';

export interface Parts {
  readonly createFetcher: typeof createFetcher;
  readonly refreshMetadata: typeof refreshMetadata;
  readonly loadMetadata: typeof loadMetadata;
  readonly readRunning: typeof readRunning;
  readonly readBoot: typeof boot.readBoot;
  /** Of the running version's verity tree; `undefined` when it cannot be read. */
  readonly readSalt: (system: System, running: RunningVersion) => string | undefined;
  readonly readRecord: typeof boot.readRecord;
  readonly nextPhase: typeof boot.nextPhase;
  readonly prepareSlot: typeof boot.prepareSlot;
  readonly checkpoint: typeof boot.checkpoint;
  readonly commitSlot: typeof boot.commitSlot;
  readonly installUki: typeof boot.installUki;
  readonly switchTo: typeof boot.switchTo;
  readonly unmetBy: typeof boot.unmetBy;
  readonly pendingFiles: typeof pendingFiles;
  readonly storePendingFile: typeof storePendingFile;
  readonly rollback: typeof boot.rollback;
  readonly scrubUkis: typeof boot.scrubUkis;
  readonly mendSuperblock: typeof boot.mendSuperblock;
  readonly guardBoot: typeof boot.guardBoot;
  readonly finishUpdate: typeof boot.finishUpdate;
  readonly planDownload: typeof planDownload;
  readonly applyRoot: typeof applyRoot;
  readonly applyUki: typeof applyUki;
  /** Asks init for an orderly restart. */
  readonly reboot: (system: System) => void;
}

/** busybox init: SIGTERM restarts the machine, after slipd has stopped every service. */
const INIT = { pid: 1, restart: 15 };

export const MACHINE_PARTS: Parts = {
  createFetcher,
  refreshMetadata,
  loadMetadata,
  readRunning,
  readBoot: boot.readBoot,
  readSalt,
  readRecord: boot.readRecord,
  nextPhase: boot.nextPhase,
  prepareSlot: boot.prepareSlot,
  checkpoint: boot.checkpoint,
  commitSlot: boot.commitSlot,
  installUki: boot.installUki,
  switchTo: boot.switchTo,
  unmetBy: boot.unmetBy,
  pendingFiles,
  storePendingFile,
  rollback: boot.rollback,
  scrubUkis: boot.scrubUkis,
  mendSuperblock: boot.mendSuperblock,
  guardBoot: boot.guardBoot,
  finishUpdate: boot.finishUpdate,
  planDownload,
  applyRoot,
  applyUki,
  reboot: (system) => {
    // Where it is known what init was asked for, its own steps, with their seconds of sleep, are left out.
    system.writeText(MACHINE_PATHS.shutdown, 'reboot\n');
    system.kill(INIT.pid, INIT.restart);
  },
};

/** veritysetup's superblock: the length of the salt at 80, the salt at 88. */
function readSalt(system: System, { slot }: RunningVersion): string | undefined {
  const fd = system.open(partitionDevice(system, `verity-${slot}`), { access: 'read' });
  if (fd < 0) return undefined;
  const block = system.readAt(fd, 0, 512);
  system.close(fd);
  if (block === 'failed' || block.length < 512) return undefined;
  const salt = block.subarray(88, 88 + Math.min(block[80] ?? 0, 256));
  return [...salt].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
