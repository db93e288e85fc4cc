/** From verdicts on entries to one line for each key, and one more for each that did not go well. */
import type { KeyStatus } from '../../../spec/provisioning.ts';
import type { Verdict } from '../plan/step.ts';

/** In the order of the documents. Of an entry that is told of twice (planned, then applied), the worse counts. */
export function statusOf(verdicts: readonly Verdict[]): readonly KeyStatus[] {
  const found = new Map<string, KeyStatus>();
  for (const { key, at, state, reason } of verdicts) {
    // Entries that went well need one line for all of them.
    const plain = state === 'applied' && reason === null;
    const name = plain ? `${key} applied` : `${key} ${state} ${at.part} ${at.line} ${reason ?? ''}`;
    if (!found.has(name)) found.set(name, { key, state, file: at.part, line: at.line, reason });
  }
  const all = [...found.values()];
  return all
    .filter(({ key, state, reason, line, file }) => {
      if (state !== 'applied' || reason !== null) return true;
      // `applied` of a key whose only entry failed is no news.
      const same = all.filter((other) => other.key === key && other.state !== 'applied');
      return !same.some((other) => other.line === line && other.file === file);
    })
    .sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}
