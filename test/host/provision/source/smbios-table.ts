/** An SMBIOS table as firmware leaves it: a structure of type 1, one of type 11 with these strings, the end. */

export function smbiosTable(oemStrings: readonly string[]): Buffer {
  return Buffer.concat([
    structure(1, Buffer.from([1, 2, 3, 4]), ['QEMU', 'Standard PC', 'pc-q35', 'serial']),
    structure(4, Buffer.alloc(20), []),
    ...(oemStrings.length === 0 ? [] : [structure(11, Buffer.from([oemStrings.length]), oemStrings)]),
    structure(127, Buffer.alloc(0), []),
  ]);
}

function structure(type: number, fixed: Buffer, strings: readonly string[]): Buffer {
  const texts = strings.map((text) => Buffer.from(`${text}\0`));
  return Buffer.concat([
    Buffer.from([type, 4 + fixed.length, 0, 0]),
    fixed,
    ...(texts.length === 0 ? [Buffer.from([0])] : texts),
    Buffer.from([0]),
  ]);
}
