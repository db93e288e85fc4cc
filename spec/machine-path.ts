/** Paths on the machine, without zod. */

/** `/a//b/./c/` as `/a/b/c`; `undefined` when it is relative, or climbs, or holds what no path may. */
export function normalisePath(text: string): string | undefined {
  // eslint-disable-next-line no-control-regex
  if (!text.startsWith('/') || /[\u0000-\u001f\u007f]/.test(text) || text.length > 1024) return undefined;
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  return parts.includes('..') ? undefined : `/${parts.join('/')}`;
}
