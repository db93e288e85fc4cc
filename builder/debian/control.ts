/** Debian control data: the stanzas of a `Packages` file and their relation fields. https://manpages.debian.org/deb-control */

export type Stanza = ReadonlyMap<string, string>;

/** One alternative of a dependency; version constraints are dropped, because all packages come from one consistent archive. */
export type Alternatives = readonly string[];

/** Fields of one stanza; continuation lines are joined by newlines. */
export function parseStanza(text: string): Stanza {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith(' ') || line.startsWith('\t')) {
      if (last !== undefined) fields.set(last, `${fields.get(last) ?? ''}\n${line.trim()}`);
      continue;
    }
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    last = line.slice(0, colon);
    fields.set(last, line.slice(colon + 1).trim());
  }
  return fields;
}

/** `a (>= 1) | b:any, c` becomes `[[a, b], [c]]`. */
export function parseRelations(value: string | undefined): readonly Alternatives[] {
  return (value ?? '')
    .split(',')
    .map((group) =>
      group
        .split('|')
        .map(packageName)
        .filter((name) => name !== ''),
    )
    .filter((group) => group.length > 0);
}

function packageName(alternative: string): string {
  return /^\s*([a-z0-9][a-z0-9+.-]*)/.exec(alternative)?.[1] ?? '';
}
