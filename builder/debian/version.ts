/**
 * Compares two Debian package versions, as `dpkg --compare-versions`: negative, zero or positive.
 * https://www.debian.org/doc/debian-policy/ch-controlfields.html#version
 */
export function compareDebianVersions(left: string, right: string): number {
  const [a, b] = [splitVersion(left), splitVersion(right)];
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  return compareParts(a.upstream, b.upstream) || compareParts(a.revision, b.revision);
}

function splitVersion(version: string): { epoch: number; upstream: string; revision: string } {
  const colon = version.indexOf(':');
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

/** Alternately a run of non-digits (by `order`) and a run of digits (by value), until one differs. */
function compareParts(left: string, right: string): number {
  let i = 0;
  let j = 0;
  while (i < left.length || j < right.length) {
    while ((i < left.length && !isDigit(left, i)) || (j < right.length && !isDigit(right, j))) {
      const difference = order(left, i) - order(right, j);
      if (difference !== 0) return difference;
      i++;
      j++;
    }
    const [first, second] = [digitsFrom(left, i), digitsFrom(right, j)];
    i += first.length;
    j += second.length;
    const [a, b] = [first.replace(/^0+/, ''), second.replace(/^0+/, '')];
    // Without leading zeros the longer number is the larger one; equally long ones compare as text (they may exceed 2^53).
    if (a !== b) return a.length - b.length || (a < b ? -1 : 1);
  }
  return 0;
}

/** `~` sorts before the end, the end (or a digit) before letters, letters before everything else. */
function order(text: string, index: number): number {
  if (index >= text.length || isDigit(text, index)) return 0;
  const character = text.charAt(index);
  if (character === '~') return -1;
  const code = character.charCodeAt(0);
  return /[A-Za-z]/.test(character) ? code : code + 256;
}

function isDigit(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 48 && code <= 57;
}

function digitsFrom(text: string, start: number): string {
  let end = start;
  while (end < text.length && isDigit(text, end)) end++;
  return text.slice(start, end);
}
