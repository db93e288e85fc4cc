/** One configuration out of the image's, provisioning's and the operators'. */
import { expect, test } from 'vitest';
import type { UpdateSettings } from '../../../../spec/update.ts';
import { formatLayer, mergeSettings, parseLayer } from '../../../../updater/device/policy/merge.ts';
import { SETTINGS } from '../../../../updater/device/policy/settings.ts';
import { SETTINGS as DEFAULTS } from '../settings.ts';

const IMAGE: UpdateSettings = { ...DEFAULTS, url: 'http://updates.example/a' };

test('the later wins, key by key, and each says where it comes from', () => {
  const merged = mergeSettings(IMAGE, [
    { source: 'provisioning', text: formatLayer({ channel: 'beta', poll: '10m' }) },
    { source: 'command', text: formatLayer({ poll: '1m30s', wave: '0.5', windows: 'sat 01:00-02:00' }) },
  ]);
  expect(merged.settings).toMatchObject({ channel: 'beta', pollMs: 90_000, wave: 0.5 });
  expect(merged.settings.windows).toHaveLength(1);
  expect(merged.sources).toMatchObject({
    url: 'image',
    channel: 'provisioning',
    poll: 'command',
    wave: 'command',
  });
  expect(merged.problems).toEqual([]);
});

test.each([
  ['nothing', ''],
  ['half a file', '{"format":"1.0","sett'],
  ['a list', '[]'],
  ['a later format', '{"format":"2.0","settings":{}}'],
  ['zeros', '\0'.repeat(100)],
])('a file of settings with %s in it counts for nothing, and is told', (_what, text) => {
  const merged = mergeSettings(IMAGE, [{ source: 'command', text }]);
  expect(merged.settings).toEqual(IMAGE);
  expect(merged.problems).toHaveLength(1);
});

test('what does not fit is left out, alone', () => {
  const settings = { poll: '1ms', chanel: 'x', proxy: 'http://a b', metered: 'true', __proto__x: 'y' };
  const merged = mergeSettings(IMAGE, [{ source: 'command', text: formatLayer(settings) }]);
  expect(merged.settings).toEqual({ ...IMAGE, metered: true });
  expect(merged.problems).toEqual([
    'by command: poll takes a time from 1s to 168h',
    "by command: 'chanel' is no setting",
    'by command: proxy takes an address such as http://proxy.example:3128, or none',
    "by command: '__proto__x' is no setting",
  ]);
});

test('reboot: window without windows is told', () => {
  const merged = mergeSettings(IMAGE, [{ source: 'command', text: formatLayer({ reboot: 'window' }) }]);
  expect(merged.problems).toEqual([
    'reboot is window, but there are no windows: nothing will ever switch by itself',
  ]);
});

test('every setting can be written as it is read', () => {
  const texts: Readonly<Record<string, string>> = {
    enabled: 'false',
    url: 'https://a.example:8080/x',
    mirrors: 'http://b.example http://c.example/d',
    channel: 'beta-2',
    poll: '1h30m',
    download: 'manual',
    reboot: 'window',
    windows: 'sat,sun 02:00-05:00 Europe/Berlin; 22:00-01:00 UTC'.replace('sat,sun', 'sun,sat'),
    bandwidth_limit: '2048',
    metered: 'true',
    full_downloads: 'ask',
    proxy: 'http://proxy.example:3128',
    ca: '/var/lib/slipway/update/ca.pem',
    wave: '0.125',
  };
  expect(Object.keys(texts)).toEqual(Object.keys(SETTINGS));
  for (const [key, setting] of Object.entries(SETTINGS)) {
    const value = setting.parse(texts[key] ?? '');
    expect(value, key).toBeDefined();
    if (value !== undefined) expect(setting.format(value), key).toBe(texts[key]);
    expect(setting.parse('\0; rm'), key).toBeUndefined();
  }
  for (const key of ['url', 'reboot', 'bandwidth_limit', 'full_downloads', 'proxy', 'ca'])
    expect(SETTINGS[key]?.parse('none'), key).toBeNull();
  expect(parseLayer(formatLayer(texts))).toEqual(texts);
});
