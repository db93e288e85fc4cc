/**
 * Versions of images: one comparison for all, that of the UAPI Version Format Specification, because the boot loader sorts by it.
 *
 * The steps follow systemd's `strverscmp_improved`, which `systemd-analyze compare-versions` and systemd-boot use.
 */

const IMAGE_VERSION = /^\d+(\.\d+)*(~[a-z0-9.]+)?$/;

/** What an image's version looks like, for messages. */
export const IMAGE_VERSION_HINT =
  "digits with dots, and '~' before what comes earlier than the release: 1.4.2, 2.0.0~rc.1";

/** Below zero when `a` is older than `b`, zero when they are equal, above zero when it is newer. */
export function compareVersions(a: string, b: string): number {
  let left = dropForeign(a);
  let right = dropForeign(b);
  for (;;) {
    // Step 2: a part after '~' comes before the same version without it.
    if (left.startsWith('~') || right.startsWith('~')) {
      const order = Number(!left.startsWith('~')) - Number(!right.startsWith('~'));
      if (order !== 0) return order;
      [left, right] = [dropForeign(left.slice(1)), dropForeign(right.slice(1))];
      continue;
    }
    // Step 3: then the shorter one is older.
    if (left === '' || right === '') return Number(left !== '') - Number(right !== '');
    // Steps 4 to 6: separators, the oldest first.
    const separator = ['-', '^', '.'].find((mark) => left.startsWith(mark) || right.startsWith(mark));
    if (separator !== undefined) {
      const order = Number(!left.startsWith(separator)) - Number(!right.startsWith(separator));
      if (order !== 0) return order;
      [left, right] = [dropForeign(left.slice(1)), dropForeign(right.slice(1))];
      continue;
    }
    // Steps 7 and 8: numbers by value, and newer than letters; letters by their code.
    const numeric = /^\d/.test(left) || /^\d/.test(right);
    const pattern = numeric ? /^\d*/ : /^[A-Za-z]*/;
    const leftPart = pattern.exec(left)?.[0] ?? '';
    const rightPart = pattern.exec(right)?.[0] ?? '';
    const order = numeric ? compareNumbers(leftPart, rightPart) : compareCodes(leftPart, rightPart);
    if (order !== 0) return order;
    [left, right] = [dropForeign(left.slice(leftPart.length)), dropForeign(right.slice(rightPart.length))];
  }
}

/** Whether a version may be given to an image: `\d+(\.\d+)*(~[a-z0-9.]+)?`, at most 64 characters. */
export function isImageVersion(text: string): boolean {
  return text.length <= 64 && IMAGE_VERSION.test(text);
}

/** Step 1: characters that are no part of a version are skipped. */
function dropForeign(text: string): string {
  return text.replace(/^[^A-Za-z0-9~.^-]+/, '');
}

/** Digits of any length, so that no number is too large. */
function compareNumbers(a: string, b: string): number {
  if (a === '' || b === '') return Number(a !== '') - Number(b !== '');
  const [left, right] = [a.replace(/^0+/, ''), b.replace(/^0+/, '')];
  if (left.length !== right.length) return left.length < right.length ? -1 : 1;
  return compareCodes(left, right);
}

function compareCodes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
