/** UTF-8 for a runtime without TextEncoder. Broken input becomes U+FFFD. */

// Most texts are ASCII, and a loop over characters costs QuickJS a hundred times what its regular expressions do.
const BEYOND_ASCII = /[^\0-\x7f]/;
const CHUNK = 4096;

export function encodeUtf8(text: string): Uint8Array {
  if (!BEYOND_ASCII.test(text)) {
    const ascii = new Uint8Array(text.length);
    for (let index = 0; index < ascii.length; index++) ascii[index] = text.charCodeAt(index);
    return ascii;
  }
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 63));
    else if (point < 0x10000)
      bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 63), 0x80 | (point & 63));
    else
      bytes.push(
        0xf0 | (point >> 18),
        0x80 | ((point >> 12) & 63),
        0x80 | ((point >> 6) & 63),
        0x80 | (point & 63),
      );
  }
  return new Uint8Array(bytes);
}

export function decodeUtf8(bytes: Uint8Array): string {
  const asLatin1 = latin1(bytes);
  return BEYOND_ASCII.test(asLatin1) ? decodeAny(bytes) : asLatin1;
}

function latin1(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += CHUNK)
    text += String.fromCharCode(...bytes.subarray(start, start + CHUNK));
  return text;
}

function decodeAny(bytes: Uint8Array): string {
  let text = '';
  let index = 0;
  while (index < bytes.length) {
    const end = endOfAscii(bytes, index);
    if (end > index) {
      text += String.fromCharCode(...bytes.subarray(index, end));
      index = end;
      continue;
    }
    const first = bytes[index++] ?? 0;
    const extra = first >= 0xf0 && first < 0xf5 ? 3 : first >= 0xe0 ? 2 : first >= 0xc2 ? 1 : 0;
    if (extra === 0 || first >= 0xf5) {
      text += '\ufffd';
      continue;
    }
    let point = first & (0x3f >> extra);
    let taken = 0;
    while (taken < extra && ((bytes[index] ?? 0) & 0xc0) === 0x80) {
      point = (point << 6) | ((bytes[index++] ?? 0) & 63);
      taken++;
    }
    const tooLong = point < [0, 0x80, 0x800, 0x10000][extra]!;
    const valid = taken === extra && !tooLong && point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
    text += valid ? String.fromCodePoint(point) : '\ufffd';
  }
  return text;
}

/** Most text is ASCII: it is taken by the run, which QuickJS does several times faster than byte by byte. */
const LONGEST_RUN = 4096;

function endOfAscii(bytes: Uint8Array, start: number): number {
  const limit = Math.min(bytes.length, start + LONGEST_RUN);
  let end = start;
  while (end < limit && (bytes[end] ?? 0x80) < 0x80) end++;
  return end;
}
