/**
 * Short names of the licences that a copyright file in machine-readable form names, in order of appearance.
 * https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
 */
export function licencesOf(copyright: string): readonly string[] {
  if (!/^Format: *https?:\/\/(www\.debian\.org|dep\.debian\.net)/m.test(copyright)) return [];
  const names = [...copyright.matchAll(/^License: *([^\n]+)$/gm)].map((match) => (match[1] ?? '').trim());
  return [...new Set(names.filter((name) => name !== ''))];
}
