import fc from 'fast-check';
import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import { parseAddress, parseNetwork } from '../../../../host/provision/network/address.ts';
import { planNetwork } from '../../../../host/provision/network/plan.ts';
import { readNetworkConfig } from '../../../../host/provision/network/read.ts';
import { DOCUMENTS } from './documents.ts';

/** Every key and every word that the documents hold, so that generated ones come near to honest ones. */
const words = [
  ...new Set(
    Object.values(DOCUMENTS)
      .join('\n')
      .match(/[\w.:/*+-]+/g),
  ),
];
const scalar = fc.oneof(
  fc.constantFrom(...words),
  fc.integer({ min: -1, max: 70_000 }),
  fc.boolean(),
  fc.constant(null),
  fc.string({ maxLength: 20 }),
);
const tree = fc.letrec<{ node: unknown }>((tie) => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    scalar,
    fc.array(tie('node'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom(...words), tie('node'), { maxKeys: 5 }),
  ),
})).node;
const sections = fc.constantFrom('ethernets', 'bonds', 'bridges', 'vlans', 'config');
const likely = fc
  .tuple(fc.constantFrom(1, 2), fc.dictionary(sections, tree, { maxKeys: 4 }))
  .map(([version, body]) => stringify({ version, ...body }));
/** An honest document with a piece cut out, doubled or replaced. */
const edited = fc
  .tuple(
    fc.constantFrom(...Object.values(DOCUMENTS)),
    fc.nat(),
    fc.nat({ max: 30 }),
    fc.oneof(scalar, fc.constant('')),
  )
  .map(([text, at, length, put]) => {
    const start = at % text.length;
    return text.slice(0, start) + String(put) + text.slice(start + length);
  });
const anything = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.oneof(likely, edited, fc.string({ maxLength: 200 })).map((text) => new TextEncoder().encode(text)),
);

/** Lines that the service's shell takes apart at blanks, and nothing that it would take for more than words. */
const LINE =
  /^(?:slipway-network 1|(?:card|bond|bridge|vlan|put|port|late|do|ipv6|dhcp|dns|route)(?: [\w.:/*+@?![\]-]+)+)$/;

it('no document makes it throw, and every plan is lines of plain words', () => {
  const check = (bytes: Uint8Array): void => {
    const { config, diagnostics } = readNetworkConfig(bytes, 'network-config');
    for (const { line, column } of diagnostics) expect(Math.min(line, column)).toBeGreaterThan(0);
    if (config === undefined) return;
    const { text } = planNetwork(config, { cards: [], modules: [], dhcp6: false });
    for (const line of text.trimEnd().split('\n')) expect(line).toMatch(LINE);
    // JSON is all there is to it: what is stored and read again plans the same.
    expect(
      planNetwork(JSON.parse(JSON.stringify(config)), { cards: [], modules: [], dhcp6: false }).text,
    ).toBe(text);
  };
  fc.assert(fc.property(anything, check), { numRuns: 150 });
});

it('an address that was read is read again as itself', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const address = parseAddress(text);
      expect(address).toBeDefined();
      expect(parseAddress(address!.text)).toEqual(address);
      // The URL parser of the platform writes IPv6 as RFC 5952 says, but for IPv4 inside.
      if (address!.family === 6) expect(`[${address!.text}]`).toBe(new URL(`http://[${text}]/`).hostname);
    }),
    { numRuns: 100 },
  );
  for (const wrong of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '01.2.3.4',
    '256.0.0.1',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7:8:9',
    'g::',
    '::1%eth0',
    '1:2:3:4:5:6:7::8:9',
  ])
    expect(parseAddress(wrong), wrong).toBeUndefined();
  expect(parseNetwork('192.0.2.1/255.255.255.0')?.prefix).toBe(24);
  expect(parseNetwork('192.0.2.1/255.0.255.0')).toBeUndefined();
});
