/** `update`: the same keys as in an image definition, read without its library. */
import { nearest } from '../../../spec/suggest.ts';
import { zoneNames, zoneRule } from '../../../spec/time-zones.ts';
import { parseDuration, parseSize } from '../../../spec/units.ts';
import {
  CHANNEL,
  DOWNLOAD_POLICIES,
  FULL_DOWNLOAD_POLICIES,
  parseHttpUrl,
  parseTimeOfDay,
  REBOOT_POLICIES,
  WAVES,
  WEEKDAYS,
  type UpdateWindow,
} from '../../../spec/update.ts';
import type { At } from '../config.ts';
import { key, type Key } from './key.ts';
import { fault, mismatch } from './reader.ts';
import { at, convert, fields, flag, given, list, oneOf, text, type Shape } from './shape.ts';

const address = parsedText(
  'HTTP address',
  parseHttpUrl,
  'write http:// or https://, a host name, and a path',
);
const timeOfDay = parsedText('time of day', parseTimeOfDay, "write hours and minutes in quotes: '02:30'");
const poll = parsedText(
  'duration',
  (written) => within(parseDuration(written), 1000, 604_800_000),
  'from 1s to 168h: 30m, 1h',
);
const channel = text({
  type: 'channel',
  check: (name) => (CHANNEL.test(name) ? undefined : `'${name}' is no channel`),
  hint: 'lower-case letters, digits and -, at most 32',
});
const zone = convert(text({ type: 'time zone' }), (name, reader, node) => {
  const rule = zoneRule(name.value);
  const meant = rule === undefined ? nearest(name.value, zoneNames()) : undefined;
  const hint = meant === undefined ? 'write a name such as Europe/Berlin' : `did you mean '${meant}'?`;
  return rule === undefined
    ? fault(reader, node.at, 'value', `'${name.value}' is no time zone`, hint)
    : { name: name.value, rule };
});

const bandwidth: Shape<At<number>> = {
  type: 'size',
  read: (node, reader) => {
    const bytes = within(
      node.kind === 'scalar' ? parseSize(node.text) : undefined,
      1024,
      Number.MAX_SAFE_INTEGER,
    );
    return bytes === undefined
      ? mismatch(reader, node, 'a size of at least 1kB, such as 2MB')
      : at(node, bytes);
  },
};

const window: Shape<UpdateWindow> = convert(
  fields(
    {
      days: { shape: list(oneOf(WEEKDAYS)) },
      from: { shape: timeOfDay, required: true },
      to: { shape: timeOfDay, required: true },
      time_zone: { shape: zone },
    },
    { noun: 'a window' },
  ),
  ({ days, from, to, time_zone: clock }, reader, node) => {
    if (from === undefined || to === undefined) return undefined;
    if (from.value === 1440 || from.value === to.value)
      return fault(
        reader,
        node.at,
        'value',
        'this window is empty',
        "the whole day is from '00:00' to '24:00'",
      );
    const named = days === undefined || days.length === 0 ? WEEKDAYS : days.map(({ value }) => value);
    return {
      days: [...new Set(named.map((day) => WEEKDAYS.indexOf(day)))].sort(),
      fromMinute: from.value,
      toMinute: to.value > from.value ? to.value : to.value + 1440,
      timeZone: clock?.name ?? 'UTC',
      zoneRule: clock?.rule ?? zoneRule('UTC') ?? 'UTC0',
    };
  },
);

const wave: Shape<At<(typeof WAVES)[number] | number>> = {
  type: `${WAVES.map((name) => `\`${name}\``).join(', ')}, or a number from 0 to 1`,
  read: (node, reader) => {
    if (node.kind !== 'scalar' || typeof node.value !== 'number') return oneOf(WAVES).read(node, reader);
    if (node.value >= 0 && node.value <= 1) return at(node, node.value);
    return fault(reader, node.at, 'number', 'expected a number from 0 to 1');
  },
};

const update = fields(
  {
    enabled: { shape: flag },
    url: { shape: address },
    mirrors: { shape: list(address) },
    channel: { shape: channel },
    poll: { shape: poll },
    download: { shape: oneOf(DOWNLOAD_POLICIES) },
    reboot: { shape: oneOf(REBOOT_POLICIES) },
    windows: { shape: convert(list(window), (windows, _reader, node) => at(node, windows)) },
    bandwidth_limit: { shape: bandwidth },
    metered: { shape: flag },
    full_downloads: { shape: oneOf(FULL_DOWNLOAD_POLICIES) },
    proxy: { shape: address },
    ca: {
      shape: text({
        type: 'certificates (PEM)',
        check: (pem) =>
          pem.includes('-----BEGIN CERTIFICATE-----') ? undefined : 'this is no certificate in PEM form',
        hint: 'the certificates themselves stand here: there is no file to name',
      }),
    },
    wave: { shape: wave },
  },
  { noun: 'update' },
);

export const UPDATE_KEYS: readonly Key[] = [
  key(
    { name: 'update', group: 'own', applied: 'state', right: 'update' },
    update,
    (draft, value, reader, node) => {
      if (value.reboot?.value === 'window' && value.windows?.value.length === 0)
        fault(
          reader,
          node.at,
          'conflict',
          "'reboot: window' without a window would never restart",
          "add 'windows'",
        );
      draft.update = {
        at: value.at,
        ...given({
          enabled: value.enabled,
          url: value.url,
          mirrors: value.mirrors,
          channel: value.channel,
          pollMs: value.poll,
          download: value.download,
          reboot: value.reboot,
          windows: value.windows,
          bandwidthBytesPerSecond: value.bandwidth_limit,
          metered: value.metered,
          fullDownloads: value.full_downloads,
          proxy: value.proxy,
          ca: value.ca,
          wave: value.wave,
        }),
      };
    },
  ),
];

function parsedText<T>(type: string, parse: (written: string) => T | undefined, hint: string): Shape<At<T>> {
  return convert(text({ type }), (written, reader, node) => {
    const value = parse(written.value);
    if (value !== undefined) return { ...written, value };
    return fault(reader, node.at, 'value', `'${written.value.slice(0, 80)}' is no ${type}`, hint);
  });
}

function within(value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}
