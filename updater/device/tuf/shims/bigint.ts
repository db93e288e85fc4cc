/**
 * QuickJS 2025-04-26 writes a needless zero before a BigInt whose highest bit fills a 32-bit limb: (2n ** 64n - 1n).toString(2) has 65 digits.
 * noble's curves take the length of such a text for the length of the number, and P-256 and P-384 verify nothing. Imported before them.
 */
const LONGEST = 2n ** 64n - 1n;

if (LONGEST.toString(2).length !== 64) {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- it is called with its own `this` below
  const original = BigInt.prototype.toString;
  BigInt.prototype.toString = function (this: bigint, radix?: number): string {
    return original.call(this, radix).replace(/^(-?)0+(?=.)/, '$1');
  };
}

export {};
