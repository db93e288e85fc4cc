/** Time zones by name. */
import { ZONES } from './time-zone-table.ts';

/** The POSIX rule of a zone; `undefined` when no zone is called so. */
export function zoneRule(name: string): string | undefined {
  return zones().get(name);
}

/** All names. */
export function zoneNames(): readonly string[] {
  return [...zones().keys()];
}

let known: ReadonlyMap<string, string> | undefined;

function zones(): ReadonlyMap<string, string> {
  if (known !== undefined) return known;
  const found = new Map<string, string>();
  for (const [rule, names] of Object.entries(ZONES)) {
    let area = '';
    for (const name of names.split(' ')) {
      const slash = name.lastIndexOf('/') + 1;
      if (slash > 0 || name === 'UTC') area = name.slice(0, slash);
      found.set(slash > 0 ? name : area + name, rule);
    }
  }
  return (known = found);
}
