import { expect, test } from 'vitest';
import { configText } from '../../../oci/config-text.ts';
import { makeBundle } from '../../../oci/bundle.ts';
import { cpuWeight } from '../../../oci/resources.ts';
import { hostNeeds } from '../../../oci/init.ts';
import { root, service } from './service.ts';

test.each([
  [0, 1],
  [2, 1],
  [512, 59],
  [1024, 100],
  [2048, 174],
  [262_144, 10_000],
  [1_000_000, 10_000],
])('cpu_shares %i is a weight of %i', (shares, weight) => {
  expect(cpuWeight(shares)).toBe(weight);
});

test('unlimited is written as 2^64-1, and nothing else changes', () => {
  const environment = { A: '"soft":9007199254740991,' };
  const { config } = makeBundle(service({ environment, ulimits: [{ name: 'core', soft: 0, hard: -1 }] }), {
    architecture: 'amd64',
    root: root(),
  });
  const text = configText(config);
  expect(text).toContain('"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}]');
  expect(JSON.parse(text)).toMatchObject({
    process: { env: expect.arrayContaining([`A=${environment.A}`]) as string[] },
  });
});

test('no pids_limit for 0 and -1', () => {
  for (const pidsLimit of [0, -1]) {
    const { config } = makeBundle(service({ pidsLimit }), { architecture: 'amd64', root: root() });
    expect(config.linux.resources).not.toHaveProperty('pids');
  }
});

test('what services need of the machine', () => {
  expect(hostNeeds([service()])).toEqual({ packages: [], modules: [] });
  expect(hostNeeds([service(), service({ init: true, readOnly: false })])).toEqual({
    packages: [{ name: 'tini', files: ['/usr/bin/tini-static'] }],
    modules: ['overlay'],
  });
});
