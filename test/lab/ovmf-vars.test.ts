import { describe, expect, test } from 'vitest';
import { writeVariableStore } from '../../lab/ovmf-vars.ts';

const STORE_BYTES = 0x3ffb8;

/** An empty store as OVMF_VARS_4M.fd has it: firmware volume header, variable store header, erased flash. */
function emptyTemplate(): Buffer {
  const template = Buffer.alloc(540672, 0xff);
  template.fill(0, 0, 100);
  template.write('_FVH', 40, 'latin1');
  template.writeUInt16LE(72, 48);
  Buffer.from('782cf3aa7b949a43a1802e144ec37792', 'hex').copy(template, 72);
  template.writeUInt32LE(STORE_BYTES, 88);
  return template;
}

const KEYS = { PK: Buffer.from('pk'), KEK: Buffer.from('kek!'), db: Buffer.from('db!!!') };

describe('a variable store for a new machine', () => {
  test('holds PK, KEK and db as authenticated variables, aligned, in flash that is erased behind them', () => {
    const store = Buffer.from(writeVariableStore(emptyTemplate(), KEYS));
    expect(store.length).toBe(540672);
    const found: Record<string, string> = {};
    let offset = 100;
    while (store.readUInt16LE(offset) === 0x55aa) {
      expect(offset % 4).toBe(0);
      expect(store.readUInt8(offset + 2)).toBe(0x3f);
      expect(store.readUInt32LE(offset + 4)).toBe(0x27);
      const nameBytes = store.readUInt32LE(offset + 36);
      const dataBytes = store.readUInt32LE(offset + 40);
      const name = store.toString('utf16le', offset + 60, offset + 60 + nameBytes - 2);
      const end = offset + 60 + nameBytes + dataBytes;
      found[name] = store.toString('latin1', end - dataBytes, end);
      offset = (end + 3) & ~3;
    }
    expect(found).toEqual({ PK: 'pk', KEK: 'kek!', db: 'db!!!' });
    expect(store.subarray(offset).every((byte) => byte === 0xff)).toBe(true);
  });

  test('without keys stays as it was: setup mode', () => {
    expect(Buffer.from(writeVariableStore(emptyTemplate(), undefined)).equals(emptyTemplate())).toBe(true);
  });

  test.each([
    ['is no firmware volume', () => Buffer.alloc(540672)],
    ['is not empty', () => Buffer.from(writeVariableStore(emptyTemplate(), KEYS))],
    [
      'holds no authenticated variable store',
      () => {
        const template = emptyTemplate();
        template.fill(0, 72, 88);
        return template;
      },
    ],
  ])('a template that %s is refused', (why, make) => {
    expect(() => writeVariableStore(make(), KEYS)).toThrow(why);
  });

  test('what does not fit is refused by name', () => {
    expect(() => writeVariableStore(emptyTemplate(), { ...KEYS, db: Buffer.alloc(STORE_BYTES) })).toThrow(
      /db does not fit/,
    );
  });
});
