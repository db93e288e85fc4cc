/** `ssh_keys`, `ssh_deletekeys`, `ssh_genkeytypes`: files of the `ssh` service, which makes what is missing as it starts. */
import type { System } from '../../../system/system.ts';
import { HOST_KEYS } from '../plan/paths.ts';
import type { HostKeysAction } from '../plan/step.ts';
import type { Marks } from './marks.ts';
import { done, failed, type StepResult } from './result.ts';
import { writeFiles, type WantedFile } from './write.ts';

const ROOT = { uid: 0, gid: 0 };
const SUFFIX = { private: '', public: '.pub', certificate: '-cert.pub' } as const;

export async function applyHostKeys(
  system: System,
  action: HostKeysAction,
  marks: Marks,
): Promise<StepResult> {
  const files = action.keys.map(({ type, kind, text }) =>
    file(system, `ssh_host_${type}_key${SUFFIX[kind]}`, text, kind === 'private' ? 0o600 : 0o644),
  );
  const wanted = file(system, 'key-types', action.types.map((type) => `${type}\n`).join(''), 0o644);
  if (system.status(HOST_KEYS) === undefined && !system.makeDirectory(HOST_KEYS, 0o700))
    return failed(`${HOST_KEYS} cannot be made`);
  let removed = 0;
  // Those of the machine that this one was copied from: once, and never those that were given.
  if (action.deleteOld && marks.get('ssh-host-keys') === undefined) {
    const kept = new Set(files.map(({ path }) => path));
    for (const name of system.list(HOST_KEYS))
      if (
        /^(ssh_host|dropbear)_\w+_(host_)?key(-cert)?(\.pub)?$/.test(name) &&
        !kept.has(`${HOST_KEYS}/${name}`)
      )
        removed += Number(system.remove(`${HOST_KEYS}/${name}`));
    await marks.set('ssh-host-keys', { state: 'ended', code: 0 });
  }
  const results = await writeFiles(system, [...files, wanted]);
  const bad = results.find(({ state }) => state === 'failed');
  if (bad !== undefined) return bad;
  return done(removed > 0 || results.some(({ changed }) => changed), null, ['ssh']);
}

function file(system: System, name: string, text: string, mode: number): WantedFile {
  const bytes = system.encode(text);
  return { ...ROOT, path: `${HOST_KEYS}/${name}`, mode, parents: ROOT, reads: false, content: () => bytes };
}
