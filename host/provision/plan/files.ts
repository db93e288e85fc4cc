/** `write_files`. Entries of one path become one action, so that applying them again finds nothing to do. */
import { own } from '../../../spec/own.ts';
import type { FileEntry, MachineConfig } from '../config.ts';
import type { PlannedAccounts } from './accounts.ts';
import { hostPath, isBelow, HOMES } from './paths.ts';
import type { FileAction, Step, Verdict } from './step.ts';

const KEY = 'write_files';
const DEFAULT_MODE = 0o644;
/** Owned by numbers in the configuration's own words: `1000`, `1000:1000`. */
const NUMBER = /^\d{1,9}$/;

export interface PlannedFiles {
  readonly steps: readonly Step[];
  readonly verdicts: readonly Verdict[];
}

export function planFiles(config: MachineConfig, accounts: PlannedAccounts): PlannedFiles {
  const steps = new Map<string, Step & FileAction>();
  const verdicts: Verdict[] = [];
  for (const entry of config.files) {
    const found = hostPath(entry.path.value);
    const owner = ownerOf(entry, accounts);
    for (const made of [found, owner])
      if ('problem' in made)
        verdicts.push({
          key: KEY,
          at: entry.at,
          state: 'failed',
          reason: `${entry.path.value}: ${made.problem}`,
        });
    if ('problem' in found || 'problem' in owner) continue;
    const before = steps.get(found.path);
    const part = {
      content: entry.content.value,
      source:
        entry.source === undefined
          ? null
          : {
              url: entry.source.url.value,
              headers: entry.source.headers.map(({ name, value }) => ({ name, value: value.value })),
            },
    };
    const replaces = !entry.append.value;
    const parts = replaces || before === undefined ? [part] : [...before.parts, part];
    // Without one of its own, what is appended leaves a mode as it was.
    const mode = entry.mode?.value ?? (replaces ? DEFAULT_MODE : (before?.mode ?? DEFAULT_MODE));
    const keeps = !replaces && before !== undefined && entry.owner === undefined;
    // In the order of the last that replaced.
    if (replaces) steps.delete(found.path);
    steps.set(found.path, {
      key: KEY,
      at: before === undefined || replaces ? entry.at : before.at,
      phase: parts.some(({ source }) => source !== null) ? 'online' : 'state',
      kind: 'file',
      path: found.path,
      parts,
      append: replaces ? false : (before?.append ?? true),
      uid: keeps ? before.uid : owner.uid,
      gid: keeps ? before.gid : owner.gid,
      mode,
      parents: parentsOf(found.path, accounts),
    });
  }
  return { steps: [...steps.values()], verdicts };
}

function ownerOf(
  { owner }: FileEntry,
  { uids, gids }: PlannedAccounts,
): { readonly uid: number; readonly gid: number } | { readonly problem: string } {
  if (owner === undefined) return { uid: 0, gid: 0 };
  const { user, group } = owner.value;
  const uid = numberOf(user, uids);
  // A user's own group has the same number.
  const gid = group === null ? uid : numberOf(group, gids);
  if (uid === undefined) return { problem: `there is no user ${user}` };
  return gid === undefined ? { problem: `there is no group ${group ?? user}` } : { uid, gid };
}

function numberOf(name: string, known: Readonly<Record<string, number>>): number | undefined {
  if (NUMBER.test(name)) return Number(name);
  return own(known, name);
}

/** What is made on the way to a file in somebody's home is his. */
function parentsOf(path: string, { uids }: PlannedAccounts): FileAction['parents'] {
  const name = isBelow(path, HOMES) ? (path.slice(HOMES.length + 1).split('/')[0] ?? '') : '';
  const uid = own(uids, name) ?? 0;
  return { uid, gid: uid };
}
