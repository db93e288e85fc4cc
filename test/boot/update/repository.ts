/** A repository for update tests: made, filled and served as the commands do it. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { loadKeys } from '../../../builder/keys/load.ts';
import { INSTANT } from '../../../updater/release/curve.ts';
import { loadTufKeys } from '../../../updater/repository/keys/load.ts';
import { addReleases, KEEP_DELTAS } from '../../../updater/repository/release/add.ts';
import type { AddOptions } from '../../../updater/repository/release/add-options.ts';
import { readBuild } from '../../../updater/repository/release/build.ts';
import { payloadTools } from '../../../updater/repository/release/payload-tools.ts';
import type { SecureBootChanges } from '../../../updater/repository/release/secure-boot.ts';
import { payloadToolbox } from '../../../updater/repository/release/toolbox.ts';
import { initRepository } from '../../../updater/repository/repository/init.ts';
import { DEFAULT_SETTINGS } from '../../../updater/repository/repository/settings.ts';
import { serveRepository, type ServedRequest } from '../../../updater/repository/serve/serve.ts';
import { KEYS } from '../image.ts';
import { UPDATE_WORK, type BuiltVersion } from './versions.ts';

export interface TestRepository {
  readonly directory: string;
  /** As a machine in QEMU's user network sees it. */
  readonly guestUrl: string;
  /** What was asked for, since the last `requests.length = 0`. */
  readonly requests: ServedRequest[];
  readonly publish: (...builds: readonly BuiltVersion[]) => Promise<void>;
  /** One release that changes keys of the firmware. */
  readonly publishChanges: (build: BuiltVersion, secureBoot: SecureBootChanges) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** The workstation's loopback, from inside QEMU's user network. */
const GUEST_VIEW_OF_LOOPBACK = '10.0.2.2';

export async function openTestRepository(name: string): Promise<TestRepository> {
  const directory = join(UPDATE_WORK, 'repositories', name);
  await rm(directory, { recursive: true, force: true });
  const keys = await loadTufKeys(KEYS);
  await initRepository(directory, keys, DEFAULT_SETTINGS);
  const requests: ServedRequest[] = [];
  const server = await serveRepository(directory, { log: (request) => requests.push(request) });
  const publish = async (
    builds: readonly BuiltVersion[],
    changes: Pick<AddOptions, 'secureBoot'> = {},
  ): Promise<void> => {
    const { sets } = await loadKeys(KEYS);
    const authorities = { release: sets.release.db.certificate, debug: sets.debug.db.certificate };
    const read = [];
    for (const build of builds) read.push(await readBuild(build.directory, authorities));
    await addReleases(directory, read, keys, {
      channels: ['stable'],
      keep: KEEP_DELTAS,
      from: [],
      // Everybody at once.
      curve: INSTANT,
      barriers: [],
      notes: '',
      withoutBrake: 'follow',
      tools: payloadTools(await payloadToolbox(directory, read[0]?.tools), { fullLevel: 3 }),
      ...changes,
    });
  };
  return {
    directory,
    guestUrl: `http://${GUEST_VIEW_OF_LOOPBACK}:${server.port}`,
    requests,
    publish: (...builds) => publish(builds),
    publishChanges: (build, secureBoot) => publish([build], { secureBoot }),
    close: () => server.close(),
  };
}
