/**
 * Short names of the licences that a copyright file names: all of them where it is machine-readable, else those whose common text it points to;
 * in order of appearance. https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
 */
export function licencesOf(copyright: string): readonly string[] {
  const machineReadable = /^Format: *https?:\/\/(www\.debian\.org|dep\.debian\.net)/m.test(copyright);
  const pattern = machineReadable
    ? /^License: *([^\n]+)$/gm
    : /\/usr\/share\/common-licenses\/([A-Za-z]+(?:-\d+(?:\.\d+)*)?)/g;
  const names = [...copyright.matchAll(pattern)].map((match) => (match[1] ?? '').trim());
  return [...new Set(names.filter((name) => name !== ''))];
}
