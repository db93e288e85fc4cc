// Rewrites spec/time-zone-table.ts from the time zone data of this machine: the rule that stands at the end of each file (RFC 9636, 3.3).
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';

const ZONES = '/usr/share/zoneinfo';
const target = join(fileURLToPath(new URL('..', import.meta.url)), 'spec/time-zone-table.ts');

// The names of zone1970.tab and zone.tab are those that people know; links of old times are left out.
const names = new Set(['UTC']);
for (const table of ['zone1970.tab', 'zone.tab'])
  for (const line of readFileSync(join(ZONES, table), 'utf8').split('\n'))
    if (line !== '' && !line.startsWith('#')) names.add(line.split('\t')[2]);

const byRule = new Map();
for (const name of [...names].sort()) {
  const path = join(ZONES, name);
  if (!existsSync(path)) throw new Error(`there is no ${path}`);
  const rule = readFileSync(path, 'latin1').trimEnd().split('\n').at(-1);
  if (!byRule.has(rule)) byRule.set(rule, []);
  byRule.get(rule).push(name);
}

/** `Europe/Berlin Paris`: an area holds until the next one. */
function withoutRepeatedAreas(list) {
  let area = '';
  return list
    .map((name) => {
      const slash = name.lastIndexOf('/') + 1;
      const short = name.slice(0, slash) === area && slash > 0 ? name.slice(slash) : name;
      area = name.slice(0, slash);
      return short;
    })
    .join(' ');
}

const rows = [...byRule].sort(([a], [b]) => (a < b ? -1 : 1));
const source = `/**
 * Time zones by name, for machines, which have no time zone data: the rule of each in POSIX form (what TZ holds), as it is to stand from now
 * on. Written by scripts/time-zones.mjs from the IANA data; the names of one rule share their area until another one is given.
 *
 * Morocco's and Palestine's clocks follow Ramadan, which no such rule can say: their summer time is that of other years.
 */
export const ZONES: Readonly<Record<string, string>> = {
${rows.map(([rule, list]) => `${JSON.stringify(rule)}: ${JSON.stringify(withoutRepeatedAreas(list))},`).join('\n')}
};
`;
writeFileSync(target, await format(source, { ...(await resolveConfig(target)), parser: 'typescript' }));
