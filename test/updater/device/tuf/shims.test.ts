/** What stands in for Node's crypto on QuickJS judges as Node's does. */
import crypto from 'node:crypto';
import { canonicalize } from '@tufjs/canonical-json';
import { describe, expect, test } from 'vitest';
import machine from '../../../../updater/device/tuf/shims/crypto.ts';
import client from '../../../../updater/device/tuf/shims/crypto-all.ts';
import { Buffer as ShimBuffer } from '../../../../updater/device/tuf/shims/buffer.ts';
import { newSigner, type KeyType } from '../tuf-client/simulator.ts';

const MESSAGE = Buffer.from(canonicalize({ hello: 'wörld' }));

describe.each(['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'rsa'] as KeyType[])('%s', (type) => {
  const signer = newSigner(type);
  const text = (signer.key['keyval'] as { public: string }).public;
  const key = client.createPublicKey(type === 'ed25519' ? { key: spki(text) } : text);
  const hash = type === 'ed25519' ? undefined : type === 'ecdsa-p384' ? 'sha384' : 'sha256';

  test('a good signature is good; any changed bit, another message or another key is not', () => {
    const signature = signer.sign(MESSAGE);
    expect(client.verify(hash, MESSAGE, { key }, signature)).toBe(true);
    expect(client.verify(hash, Buffer.from('other'), { key }, signature)).toBe(false);
    for (const at of [0, 5, 20, signature.length - 1]) {
      const changed = Buffer.from(signature);
      changed[at] = (changed[at] ?? 0) ^ 0x10;
      expect(
        attempt(() => client.verify(hash, MESSAGE, { key }, changed)),
        `byte ${at}`,
      ).toBe(false);
    }
    expect(attempt(() => client.verify(hash, MESSAGE, { key }, Buffer.alloc(0)))).toBe(false);
    expect(attempt(() => client.verify(hash, MESSAGE, { key }, signature.subarray(1)))).toBe(false);
  });
});

describe('Ed25519 on the machine', () => {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
  const der = publicKey.export({ type: 'spki', format: 'der' });

  test('judges like Node for many messages', () => {
    const key = machine.createPublicKey({ key: der });
    for (let length = 0; length < 20; length++) {
      const message = crypto.randomBytes(length * 13);
      const signature = crypto.sign(null, message, privateKey);
      expect(machine.verify(undefined, message, { key }, signature)).toBe(true);
      signature[length] = (signature[length] ?? 0) ^ 1;
      expect(attempt(() => machine.verify(undefined, message, { key }, signature))).toBe(false);
    }
  });

  test('a signature is good in one form alone: s above the order, and keys of small order, are refused', () => {
    const key = machine.createPublicKey({ key: der });
    const signature = crypto.sign(null, MESSAGE, privateKey);
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
    const other = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
    const forged = Buffer.concat([signature.subarray(0, 32), other]);
    expect(attempt(() => machine.verify(undefined, MESSAGE, { key }, forged))).toBe(false);
    const neutral = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
    const small = machine.createPublicKey({ key: Buffer.concat([der.subarray(0, 12), neutral]) });
    const trivial = Buffer.concat([neutral, Buffer.alloc(32)]);
    expect(attempt(() => machine.verify(undefined, MESSAGE, { key: small }, trivial))).toBe(false);
  });

  test.each([
    [
      'an RSA key',
      crypto
        .generateKeyPairSync('rsa', { modulusLength: 1024 })
        .publicKey.export({ type: 'spki', format: 'der' }),
    ],
    ['nothing', Buffer.alloc(0)],
    ['too little', Buffer.alloc(43)],
  ])('%s is no key', (_, key) => {
    expect(() => machine.createPublicKey({ key })).toThrow();
  });
});

test.each(['sha256', 'sha384', 'sha512'])('%s is Node’s', (name) => {
  for (const size of [0, 1, 55, 64, 1000]) {
    const data = crypto.randomBytes(size);
    const expected = crypto.createHash(name).update(data).digest('hex');
    expect(client.createHash(name).update(data).digest('hex')).toBe(expected);
  }
});

test('Buffer: text and hexadecimal digits, like Node’s', () => {
  for (const text of ['', 'plain', 'wörld \u{1F600}']) {
    expect([...ShimBuffer.from(text)]).toEqual([...Buffer.from(text)]);
    expect(ShimBuffer.from(text).toString('utf8')).toBe(text);
  }
  for (const hex of ['', '00ff', 'abc', '12zz34', 'xy']) {
    expect([...ShimBuffer.from(hex, 'hex')]).toEqual([...Buffer.from(hex, 'hex')]);
  }
  const joined = ShimBuffer.concat([ShimBuffer.from('ab'), Uint8Array.of(0xff)]);
  expect(joined.toString('hex')).toBe('6162ff');
});

function attempt(action: () => boolean): boolean {
  try {
    return action();
  } catch {
    return false;
  }
}

function spki(hex: string): Uint8Array {
  return Buffer.from(`302a300506032b6570032100${hex}`, 'hex');
}
