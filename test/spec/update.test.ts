/** `update:` of image definitions: what machines get, and every fault at its place. */
import { expect, test } from 'vitest';
import { zoneNames, zoneRule } from '../../spec/time-zones.ts';
import { rebootPolicy } from '../../spec/update.ts';
import { image, places } from './memory-files.ts';

async function update(yaml: string, others: Readonly<Record<string, string>> = {}) {
  const { image: definition, diagnostics } = await image({ 'image.yaml': `name: a\n${yaml}`, ...others });
  expect(diagnostics).toEqual([]);
  return definition?.update;
}

test('without update: there is no updater', async () => {
  expect(await update('version: 1.0.0\n')).toBeUndefined();
});

test('an address alone is enough', async () => {
  expect(await update('update:\n  url: http://updates.example/a/\n')).toEqual({
    settings: {
      enabled: true,
      url: 'http://updates.example/a',
      mirrors: [],
      channel: 'stable',
      pollMs: 3_600_000,
      download: 'auto',
      reboot: null,
      windows: [],
      bandwidthBytesPerSecond: null,
      metered: false,
      fullDownloads: null,
      proxy: null,
      ca: null,
      wave: 'normal',
    },
  });
});

test('every key', async () => {
  const found = await update(
    `update:
  enabled: false
  url: https://updates.example
  mirrors: [http://one.example/x, 'http://two.example:8080']
  channel: beta
  poll: 15m
  download: manual
  reboot: window
  windows:
    - { days: [sun, sat, sat], from: '22:30', to: '02:00', time_zone: Europe/Berlin }
    - { from: '00:00', to: '24:00' }
  bandwidth_limit: 2MB
  metered: true
  proxy: http://proxy.example:3128
  ca: certs/own.pem
  wave: 0.25
`,
    { 'certs/own.pem': '-----BEGIN CERTIFICATE-----\n' },
  );
  expect(found).toEqual({
    caFile: '/project/certs/own.pem',
    settings: {
      enabled: false,
      url: 'https://updates.example',
      mirrors: ['http://one.example/x', 'http://two.example:8080'],
      channel: 'beta',
      pollMs: 900_000,
      download: 'manual',
      reboot: 'window',
      windows: [
        {
          days: [0, 6],
          fromMinute: 1350,
          toMinute: 1560,
          timeZone: 'Europe/Berlin',
          zoneRule: 'CET-1CEST,M3.5.0,M10.5.0/3',
        },
        { days: [0, 1, 2, 3, 4, 5, 6], fromMinute: 0, toMinute: 1440, timeZone: 'UTC', zoneRule: 'UTC0' },
      ],
      bandwidthBytesPerSecond: 2 * 1024 * 1024,
      metered: true,
      fullDownloads: null,
      proxy: 'http://proxy.example:3128',
      ca: '/usr/lib/slipway/update/ca.pem',
      wave: 0.25,
    },
  });
});

test('windows alone mean that they are waited for; a profile may say otherwise', async () => {
  const yaml = "update:\n  windows: [{ days: [mon], from: '1:00', to: '2:00' }]\n";
  const settings = (await update(yaml))?.settings;
  expect(settings && rebootPolicy(settings)).toBe('window');
  const { image: definition, diagnostics } = await image(
    {
      'image.yaml': `name: a\n${yaml}profiles:\n  now:\n    update: { windows: !override [], reboot: auto }\n`,
    },
    { profiles: ['now'] },
  );
  expect(diagnostics).toEqual([]);
  expect(definition?.update?.settings).toMatchObject({ reboot: 'auto', windows: [] });
});

test.each([
  ['update: { url: updates.example }', ["2:16 'updates.example' is no address"]],
  ['update: { url: ftp://updates.example }', ["2:16 'ftp://updates.example' is no address"]],
  [
    'update: { channel: Stable Things }',
    ['2:20 a channel has lower-case letters, digits and - (at most 32)'],
  ],
  ['update: { poll: 10ms }', ['2:17 expected 1s to 168h']],
  ['update: { reboot: window }', ['2:19 there are no windows to wait for']],
  [
    "update: { reboot: auto, windows: [{ from: '1:00', to: '2:00' }] }",
    ['2:25 reboot: auto never looks at windows'],
  ],
  ["update: { windows: [{ from: '1:00', to: '1:00' }] }", ['2:41 this window is empty']],
  ["update: { windows: [{ from: '25:00', to: '1:00' }] }", ["2:29 '25:00' is no time of day"]],
  [
    "update: { windows: [{ from: '1:00', to: '2:00', time_zone: Europe/Berln }] }",
    ["2:60 'Europe/Berln' is no time zone"],
  ],
  ['update: { mirrors: [http://a.example] }', ["2:11 without 'url' there is nothing to fetch"]],
  ['update: { wave: 1.5 }', ['2:17 expected at most 1, found the number 1.5']],
  [
    'update: { url: http://a.example, ca: none.pem }',
    ['2:38 cannot read /project/none.pem: there is no such file'],
  ],
  ['update: { url: http://a.example, ca: image.yaml }', ['2:38 /project/image.yaml holds no certificate']],
  ['update: { dowload: auto }', ["2:11 'dowload' is no key of 'update'"]],
])('%s', async (yaml, faults) => {
  expect(places((await image({ 'image.yaml': `name: a\n${yaml}\n` })).diagnostics)).toEqual(faults);
});

test('every zone that people name has a rule', () => {
  expect(zoneNames().length).toBeGreaterThan(400);
  expect(zoneRule('UTC')).toBe('UTC0');
  expect(zoneRule('America/Argentina/Buenos_Aires')).toBe('<-03>3');
  expect(zoneRule('Asia/Kathmandu')).toBe('<+0545>-5:45');
  expect(zoneRule('Europe/Atlantis')).toBeUndefined();
  const names = new Set(zoneNames());
  // Of those with an area, what Node knows by the same name.
  const missing = Intl.supportedValuesOf('timeZone').filter((name) => !names.has(name));
  expect(missing.length).toBeLessThan(30);
});
