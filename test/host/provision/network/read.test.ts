import { describe, expect, it } from 'vitest';
import { readNetworkConfig, type NetworkReading } from '../../../../host/provision/network/read.ts';

const read = (text: string): NetworkReading =>
  readNetworkConfig(new TextEncoder().encode(text), 'network-config');

/** `line:column severity code`, as many as there are. */
const faults = (text: string): string[] =>
  read(text).diagnostics.map(({ line, column, severity, code }) => `${line}:${column} ${severity} ${code}`);

describe('a static card in version 2', () => {
  const text = `version: 2
ethernets:
  lan:
    match: {macaddress: '52:54:00:AA:00:01'}
    set-name: lan0
    addresses: [192.0.2.10/24, '2001:DB8:0::a/64']
    routes:
      - {to: default, via: 192.0.2.1}
      - {to: 198.51.100.7/24, via: 192.0.2.2, metric: 50}
    nameservers: {addresses: [192.0.2.53], search: [example.org]}
    mtu: 1400
`;

  it('is read', () => {
    expect(read(text)).toEqual({
      diagnostics: [],
      config: {
        version: 2,
        nameServers: { servers: [], search: [] },
        routes: [],
        links: [
          {
            kind: 'ethernet',
            id: 'lan',
            line: 3,
            match: { macAddress: '52:54:00:aa:00:01' },
            setName: 'lan0',
            dhcp4: false,
            dhcp6: false,
            addresses: [
              { family: 4, address: '192.0.2.10', prefix: 24 },
              { family: 6, address: '2001:db8::a', prefix: 64 },
            ],
            routes: [
              { family: 4, to: 'default', via: '192.0.2.1' },
              { family: 4, to: '198.51.100.0/24', via: '192.0.2.2', metric: 50 },
            ],
            nameServers: { servers: ['192.0.2.53'], search: ['example.org'] },
            mtu: 1400,
            dhcp4Overrides: {},
            dhcp6Overrides: {},
            optional: false,
            faulty: false,
          },
        ],
      },
    });
  });

  it('is the same inside network:', () => {
    const wrapped = `network:\n${text.replace(/^/gm, '  ')}`;
    const { config, diagnostics } = read(wrapped);
    expect(diagnostics).toEqual([]);
    expect(config?.links.map((link) => ({ ...link, line: link.line - 1 }))).toEqual(read(text).config?.links);
  });
});

describe('faults have their place', () => {
  it.each([
    ['version: 3', '1:10 error network.version'],
    ['ethernets: {}', '1:1 error network.version'],
    ['version: 2\nethernets:\n  en0:\n    adresses: []', '4:5 error network.unknown-key'],
    ['version: 2\nethernets:\n  en0:\n    addresses: [192.0.2.1]', '4:17 error network.address'],
    ['version: 2\nethernets:\n  en0:\n    addresses: [192.0.2.1/33]', '4:17 error network.address'],
    ['version: 2\nethernets:\n  en0:\n    wakeonlan: true', '4:5 warning network.ignored'],
    ['version: 2\nrenderer: networkd', '2:1 warning network.ignored'],
    ['version: 2\nethernets:\n  en0:\n    gateway4: 192.0.2.1', '4:5 warning network.deprecated'],
    ['version: 2\nethernets:\n  en0:\n    gateway4: fe80::1', '4:15 error network.address'],
    ['version: 2\nethernets:\n  en0:\n    mtu: 12', '4:10 error network.range'],
    ['version: 2\nethernets:\n  en0:\n    set-name: x', '3:3 error network.match'],
    ['version: 2\nethernets:\n  en0: {match: {macaddress: 5254}}', '3:29 error network.mac'],
    ['version: 2\nwifis: {}', '2:1 error network.unsupported'],
    ['version: 2\nbonds:\n  b0: {interfaces: [en9]}', '3:21 error network.reference'],
    [
      'version: 2\nvlans:\n  v0: {id: 4095, link: en0}',
      '3:12 error network.range',
      '3:24 error network.reference',
    ],
    ['version: 2\nvlans:\n  a: {id: 1, link: b}\n  b: {id: 1, link: a}', '4:20 error network.circle'],
    [
      'version: 1\nconfig:\n- {type: physical, name: en0, subnets: [{type: statik}]}',
      '3:48 error network.value',
    ],
    ['version: 1\nconfig: [{type: infiniband, name: ib0}]', '2:17 error network.unsupported'],
    ['network: {config: disabled}', '1:19 error network.disabled'],
  ])('%j', (text, ...expected) => {
    expect(faults(text)).toEqual(expected);
  });

  it('and what is left of a faulty card is marked', () => {
    const { config } = read(
      'version: 2\nethernets:\n  en0:\n    addresses: [192.0.2.1/24, nonsense]\n  en1: {}',
    );
    expect(config?.links.map(({ id, faulty, addresses }) => [id, faulty, addresses.length])).toEqual([
      ['en0', true, 1],
      ['en1', false, 0],
    ]);
  });
});

it('nothing at all is no configuration, and no fault', () => {
  for (const text of ['', '\n\n', '# none\n', '---\n']) expect(read(text)).toEqual({ diagnostics: [] });
});
