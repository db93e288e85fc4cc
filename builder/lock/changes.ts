/** What a new lock changes: for people, and for `--json`. */
import type { LockFile } from './lock-file.ts';

export interface LockChange {
  readonly section: 'packages' | 'tools' | 'images';
  readonly change: 'added' | 'removed' | 'updated';
  readonly name: string;
  /** Version or digest; `null` where it was not locked. */
  readonly from: string | null;
  readonly to: string | null;
}

/** Sorted by section and name. Everything is `added` where there was no lock. */
export function lockChanges(before: LockFile | undefined, after: LockFile): readonly LockChange[] {
  const old = inputsOf(before);
  const now = inputsOf(after);
  const keys = [...new Set([...old.keys(), ...now.keys()])].sort();
  return keys.flatMap((key) => {
    const [from, to] = [old.get(key), now.get(key)];
    const known = to ?? from;
    if (known === undefined || from?.identity === to?.identity) return [];
    return [
      {
        section: known.section,
        change: from === undefined ? 'added' : to === undefined ? 'removed' : 'updated',
        name: known.name,
        from: from?.version ?? null,
        to: to?.version ?? null,
      },
    ];
  });
}

/** One change a line: `updated  openssl  3.5.6 -> 3.5.7`. */
export function formatChanges(changes: readonly LockChange[]): string {
  const width = Math.max(0, ...changes.map(({ name }) => name.length));
  return changes
    .map(({ section, change, name, from, to }) => {
      const versions =
        from === null || to === null
          ? (to ?? from ?? '')
          : from === to
            ? `${to}, another file`
            : `${from} -> ${to}`;
      const where = section === 'tools' ? '  (build tool)' : '';
      return `${change.padEnd(8)} ${name.padEnd(width)}  ${versions}${where}`;
    })
    .join('\n');
}

interface Input {
  readonly section: LockChange['section'];
  readonly name: string;
  readonly version: string;
  readonly identity: string;
}

/** By a key that stays when the version changes: a new kernel has a new package name, but is the same input. */
function inputsOf(lock: LockFile | undefined): ReadonlyMap<string, Input> {
  const inputs = new Map<string, Input>();
  if (lock === undefined) return inputs;
  for (const section of ['packages', 'tools'] as const) {
    for (const { name, version, architecture, sha256 } of lock[section]) {
      const shown =
        section === 'packages' && name === lock.requested.kernelResolved ? lock.requested.kernel : name;
      const key = `${section} ${shown} ${architecture}`;
      inputs.set(key, { section, name: shown, version, identity: sha256 });
    }
  }
  for (const { reference, digest } of lock.images) {
    inputs.set(`images ${reference}`, {
      section: 'images',
      name: reference,
      version: digest,
      identity: digest,
    });
  }
  return inputs;
}
