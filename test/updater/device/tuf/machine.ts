/** A machine that follows a repository in tests: its clock, its directory of metadata, its image's root. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustedMetadata } from '../../../../updater/device/tuf/contents.ts';
import {
  loadMetadata,
  refreshMetadata,
  type MetadataFetch,
  type RefreshOptions,
} from '../../../../updater/device/tuf/refresh.ts';
import { createQuickSystem } from '../quick-system.ts';
import { EPOCH_MS, type TestRepository } from '../../tuf-repository.ts';

export interface TestMachine {
  readonly directory: string;
  readonly memory: string;
  /** Programs that it has started. */
  readonly ran: (readonly string[])[];
  clockMs: number;
  buildTimeMs: number;
  refresh(fetch?: MetadataFetch, options?: Partial<RefreshOptions>): Promise<TrustedMetadata>;
  load(options?: Partial<RefreshOptions>): Promise<TrustedMetadata | undefined>;
}

export function makeMachine(
  scratch: string,
  repository: TestRepository,
  root = repository.root(),
): TestMachine {
  const ran: (readonly string[])[] = [];
  const place = mkdtempSync(join(scratch, 'machine-'));
  const machine: TestMachine = {
    ran,
    directory: join(place, 'metadata'),
    memory: join(place, 'run/verified.json'),
    clockMs: EPOCH_MS + 3_600_000,
    buildTimeMs: EPOCH_MS - 86_400_000,
    refresh: (fetch = repository.fetch, options = {}) =>
      refreshMetadata(system, { ...all(), ...options, fetch }),
    load: (options = {}) => loadMetadata(system, { ...all(), ...options }),
  };
  const system = createQuickSystem({
    wallClockMs: () => machine.clockMs,
    log: () => undefined,
    ran: (argv) => void ran.push(argv),
  });
  const all = () => ({
    directory: machine.directory,
    root,
    buildTimeMs: machine.buildTimeMs,
    memory: machine.memory,
  });
  return machine;
}
