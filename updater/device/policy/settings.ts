/** Each setting of `update:` as a text, for commands: how it is read, written, and which words it takes. Keys are those of the image definition. */
import { parseDuration, parseSize } from '../../../spec/units.ts';
import {
  CHANNEL,
  DOWNLOAD_POLICIES,
  FULL_DOWNLOAD_POLICIES,
  parseHttpUrl,
  REBOOT_POLICIES,
  WAVES,
  type UpdateSettings,
} from '../../../spec/update.ts';
import { withoutPassword } from '../fetch/config.ts';
import { formatWindows, parseWindows } from './window-text.ts';

export interface Setting<Name extends keyof UpdateSettings = keyof UpdateSettings> {
  readonly name: Name;
  /** `undefined`: the text is no such value. */
  readonly parse: (text: string) => UpdateSettings[Name] | undefined;
  /** For people: without passwords. */
  readonly format: (value: UpdateSettings[Name]) => string;
  /** What it takes. */
  readonly form: string;
}

/** What stands for "not set", where that is possible. */
export const NOTHING = 'none';

/** A path on the machine that curl may read certificates from. */
const PATH = /^\/[A-Za-z0-9._/-]{1,255}$/;

/** By the key in `update:`. */
export const SETTINGS: Readonly<Record<string, Setting>> = {
  enabled: flag('enabled'),
  url: optional('url', parseHttpUrl, withoutPassword, 'an address, http:// or https://'),
  mirrors: setting(
    'mirrors',
    (text) => allOf(text.split(/[\s,]+/).filter(Boolean), parseHttpUrl),
    (value) => (value.length === 0 ? NOTHING : value.map(withoutPassword).join(' ')),
    'addresses with spaces between',
  ),
  channel: setting(
    'channel',
    (text) => (CHANNEL.test(text) ? text : undefined),
    String,
    'the name of a channel',
  ),
  poll: setting(
    'pollMs',
    (text) => within(parseDuration(text), 1000, 604_800_000),
    (ms) => formatSpan(ms),
    'a time from 1s to 168h',
  ),
  download: choice('download', DOWNLOAD_POLICIES),
  reboot: optional(
    'reboot',
    (text) => REBOOT_POLICIES.find((word) => word === text),
    String,
    words(REBOOT_POLICIES),
  ),
  windows: setting(
    'windows',
    (text) => (text === NOTHING ? [] : parseWindows(text)),
    (value) => (value.length === 0 ? NOTHING : formatWindows(value)),
    "windows such as 'sat,sun 02:00-05:00 Europe/Berlin', with ; between",
  ),
  bandwidth_limit: optional(
    'bandwidthBytesPerSecond',
    (text) => within(parseSize(text), 1024, 1e12),
    (bytes) => `${bytes}`,
    'bytes a second, such as 500kB',
  ),
  metered: flag('metered'),
  full_downloads: optional(
    'fullDownloads',
    (text) => FULL_DOWNLOAD_POLICIES.find((word) => word === text),
    String,
    words(FULL_DOWNLOAD_POLICIES),
  ),
  proxy: optional('proxy', parseProxy, withoutPassword, 'an address such as http://proxy.example:3128'),
  ca: optional(
    'ca',
    (text) => (PATH.test(text) ? text : undefined),
    String,
    'a file of certificates on this machine',
  ),
  wave: setting('wave', parseWave, String, 'early, normal, late, or a number from 0 to 1'),
};

function setting<Name extends keyof UpdateSettings>(
  name: Name,
  parse: Setting<Name>['parse'],
  format: Setting<Name>['format'],
  form: string,
): Setting {
  // Each entry fits its own name; the table forgets which that is.
  return { name, parse, format, form } as unknown as Setting;
}

type OptionalName = 'url' | 'reboot' | 'bandwidthBytesPerSecond' | 'fullDownloads' | 'proxy' | 'ca';

function optional<Name extends OptionalName>(
  name: Name,
  parse: (text: string) => NonNullable<UpdateSettings[Name]> | undefined,
  format: (value: NonNullable<UpdateSettings[Name]>) => string,
  form: string,
): Setting {
  return setting<OptionalName>(
    name,
    (text) => (text === NOTHING ? null : parse(text)),
    (value) => (value === null ? NOTHING : format(value as NonNullable<UpdateSettings[Name]>)),
    `${form}, or ${NOTHING}`,
  );
}

function flag(name: 'enabled' | 'metered'): Setting {
  return setting(
    name,
    (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
    String,
    'true or false',
  );
}

function choice(name: 'download', known: typeof DOWNLOAD_POLICIES): Setting {
  return setting(name, (text) => known.find((word) => word === text), String, words(known));
}

function words(known: readonly string[]): string {
  return `${known.slice(0, -1).join(', ')} or ${known.at(-1) ?? ''}`;
}

function allOf<Value>(
  texts: readonly string[],
  parse: (text: string) => Value | undefined,
): readonly Value[] | undefined {
  if (texts.length > 32) return undefined;
  const values = texts.filter((text) => text !== NOTHING).map(parse);
  return values.every((value): value is Value & NonNullable<unknown> => value !== undefined)
    ? values
    : undefined;
}

function within(value: number | undefined, least: number, most: number): number | undefined {
  return value !== undefined && value >= least && value <= most ? value : undefined;
}

/** Without a path, which means nothing. */
function parseProxy(text: string): string | undefined {
  const address = parseHttpUrl(text);
  return address !== undefined && /^https?:\/\/[^/]+$/.test(address) ? address : undefined;
}

function parseWave(text: string): UpdateSettings['wave'] | undefined {
  const word = WAVES.find((known) => known === text);
  if (word !== undefined) return word;
  return /^(0(\.\d{1,9})?|1(\.0{1,9})?)$/.test(text) ? Number(text) : undefined;
}

/** `1h30m`, as it is read. */
function formatSpan(ms: number): string {
  const parts = [
    [Math.floor(ms / 3_600_000), 'h'],
    [Math.floor(ms / 60_000) % 60, 'm'],
    [Math.floor(ms / 1000) % 60, 's'],
    [ms % 1000, 'ms'],
  ] as const;
  return parts.map(([count, unit]) => (count === 0 ? '' : `${count}${unit}`)).join('');
}
