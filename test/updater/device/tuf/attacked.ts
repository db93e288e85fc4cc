/** A machine that follows an honest repository, before each test; what is refused, and that honest answers are followed afterwards. */
import { beforeEach, expect } from 'vitest';
import type { rolloutBody } from '../../../../updater/repository/tuf/metadata.ts';
import { metaFile, snapshotBody } from '../../../../updater/repository/tuf/metadata.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { DAY_MS, EPOCH_MS, makeRepository, type TestRepository } from '../../tuf-repository.ts';
import { makeMachine, type TestMachine } from './machine.ts';

export const scratch = scratchDirectory();
export const GOOD = { sizeBytes: 1, sha256: 'a'.repeat(64) };
export const EVIL = { sizeBytes: 1, sha256: 'e'.repeat(64) };
export const LATER = new Date(EPOCH_MS + 300 * DAY_MS);

export let repository: TestRepository;
export let machine: TestMachine;

beforeEach(async () => {
  repository = await makeRepository({ channels: ['stable', 'beta'] });
  repository.targets = { r: GOOD };
  await repository.publish();
  machine = makeMachine(scratch, repository);
  await machine.refresh();
});

/** Refused with this fault; what is stored says the same as before; and an honest publication is followed. */
export async function expectRefused(code: string, fetch = repository.fetch): Promise<void> {
  const before = await machine.load();
  await expect(machine.refresh(fetch)).rejects.toMatchObject({ code });
  const after = await machine.load();
  if (after !== undefined) expect([...after.targets]).toEqual([...(before?.targets ?? [])]);
  await expectRecovery();
}

export async function expectRecovery(): Promise<void> {
  for (const name of ['root', 'targets', 'snapshot', 'timestamp', 'rollout-stable', 'rollout-beta'])
    repository.versions[name] = (repository.versions[name] ?? 0) + (name === 'root' ? 0 : 50);
  repository.targets = { r: GOOD, honest: GOOD };
  await repository.publish();
  expect((await machine.refresh()).targets.get('honest')).toBeDefined();
}

/** Serves what `change` makes of an honest answer. */
export function tampered(change: (name: string, bytes: Uint8Array) => Uint8Array | 'missing') {
  return async (name: string, limitBytes: number): Promise<Uint8Array | 'missing'> => {
    const bytes = await repository.fetch(name, limitBytes);
    return bytes === 'missing' ? bytes : change(name, bytes);
  };
}

export const flipped = (bytes: Uint8Array): Uint8Array => {
  const text = Buffer.from(bytes).toString();
  return Buffer.from(text.replace('"version":', '"version": ').replace(/[0-9a-f]{60}/, '0'.repeat(60)));
};
/** As somebody with the keys of snapshot and timestamp would. */
export async function serveSnapshot(
  change: (files: Record<string, ReturnType<typeof metaFile>>) => Record<string, ReturnType<typeof metaFile>>,
): Promise<void> {
  const current = repository.files.get(`${repository.versions['snapshot'] ?? 0}.snapshot.json`);
  const { signed } = JSON.parse(Buffer.from(current ?? []).toString()) as {
    signed: { meta: Record<string, ReturnType<typeof metaFile>> };
  };
  const version = (repository.versions['snapshot'] = (repository.versions['snapshot'] ?? 0) + 1);
  await repository.put(
    `${version}.snapshot.json`,
    snapshotBody({ version, expires: LATER, files: change(signed.meta) }),
    repository.roles.snapshot.signers,
  );
  await repository.refresh();
}

/** As somebody with a channel's key would, once snapshot and timestamp take up what it signed. */
export async function serveRollout(
  channel: string,
  body: ReturnType<typeof rolloutBody>,
  signedBy = channel,
): Promise<void> {
  const name = `rollout-${channel}`;
  const bytes = await repository.put(
    `${body.version}.${name}.json`,
    body,
    repository.channels[signedBy]?.signers ?? [],
  );
  await serveSnapshot((files) => ({ ...files, [`${name}.json`]: metaFile(body.version, bytes) }));
}
