/** What Node's `createHash` returns, around one of noble's hashes. */
import { bytesToHex } from '@noble/hashes/utils.js';
import { encodeUtf8 } from '../../../../system/utf8.ts';

interface Hash {
  update(data: Uint8Array): unknown;
  digest(): Uint8Array;
}

export interface HashChain {
  update(data: Uint8Array | string): HashChain;
  digest(encoding?: 'hex'): string | Buffer;
}

export function hashChain(hash: Hash): HashChain {
  const chain: HashChain = {
    update: (data) => {
      hash.update(typeof data === 'string' ? encodeUtf8(data) : data);
      return chain;
    },
    digest: (encoding) => (encoding === 'hex' ? bytesToHex(hash.digest()) : Buffer.from(hash.digest())),
  };
  return chain;
}
