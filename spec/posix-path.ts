/** Path arithmetic of POSIX, for code that runs where there is no `node:path`: same names, same results, absolute where it resolves. */

export function normalize(path: string): string {
  if (path === '') return '.';
  const absolute = path.startsWith('/');
  const kept: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') kept.push(part);
    else if (kept.length > 0 && kept.at(-1) !== '..') kept.pop();
    else if (!absolute) kept.push(part);
  }
  const slash = path.endsWith('/') ? '/' : '';
  if (kept.length === 0) return absolute ? '/' : slash === '' ? '.' : './';
  return `${absolute ? '/' : ''}${kept.join('/')}${slash}`;
}

export function join(...parts: readonly string[]): string {
  const written = parts.filter((part) => part !== '');
  return written.length === 0 ? '.' : normalize(written.join('/'));
}

/** The last absolute part counts; the first must be absolute. No trailing slash. */
export function resolve(...parts: readonly string[]): string {
  const from = parts.findLastIndex((part) => part.startsWith('/'));
  const path = normalize(`/${parts.slice(Math.max(0, from)).join('/')}`);
  return path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
}

export function dirname(path: string): string {
  const trimmed = path.replace(/(?<=.)\/+$/, '');
  const at = trimmed.lastIndexOf('/');
  if (at < 0) return '.';
  const parent = trimmed.slice(0, at).replace(/(?<=.)\/+$/, '');
  return parent === '' ? '/' : parent;
}

export function basename(path: string): string {
  const trimmed = path.replace(/\/+$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

/** The way from one absolute path to another. */
export function relative(from: string, to: string): string {
  const start = resolve(from).split('/').filter(Boolean);
  const end = resolve(to).split('/').filter(Boolean);
  let same = 0;
  while (same < start.length && same < end.length && start[same] === end[same]) same++;
  return [...start.slice(same).map(() => '..'), ...end.slice(same)].join('/');
}
