/** How a machine follows its updates: what the image says (`update:`), the builder writes, and the updater reads. */

/** Fixed paths on the machine. */
export const UPDATE_PATHS = {
  /** UpdateFile, in the verified root. */
  config: '/usr/lib/slipway/update/config.json',
  /** The TUF root that the image was built with: the floor of all trust. */
  root: '/usr/lib/slipway/update/root.json',
  /** Certificates of the image's own CA, for HTTPS. */
  ca: '/usr/lib/slipway/update/ca.pem',
  program: '/usr/lib/slipway/update.js',
  poll: '/usr/lib/slipway/poll.js',
  /** What slipd starts to keep or give up a version on trial. */
  switch: '/usr/lib/slipway/switch.js',
  /** What the updater keeps; on the state partition, so never believed. */
  state: '/var/lib/slipway/update',
  /** What lives as long as a boot. */
  runtime: '/run/slipway/update',
  /** Unix time in seconds at which slipd starts the updater again; the updater writes it. */
  next: '/run/slipway/update/next',
} as const;

/** One day of the week, as people write it; Sunday is 0, as in JavaScript. */
export const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;

/** A weekly window, by a clock on a wall of its time zone. */
export interface UpdateWindow {
  /** On which it begins: Sunday is 0. */
  readonly days: readonly number[];
  readonly fromMinute: number;
  /** Above `fromMinute`; above 1440 when it ends on the day after. */
  readonly toMinute: number;
  /** For people. */
  readonly timeZone: string;
  /** In POSIX form: what TZ holds. */
  readonly zoneRule: string;
}

export const DOWNLOAD_POLICIES = ['auto', 'manual'] as const;
export const REBOOT_POLICIES = ['auto', 'window', 'manual'] as const;
export const FULL_DOWNLOAD_POLICIES = ['never', 'ask', 'always'] as const;
export const WAVES = ['early', 'normal', 'late'] as const;

/** Every setting, in the image's file complete. Urls end without a slash. */
export interface UpdateSettings {
  /** Whether the machine follows by itself; else only by command. */
  readonly enabled: boolean;
  /** The repository; `null`: updates come as bundles alone. */
  readonly url: string | null;
  readonly mirrors: readonly string[];
  readonly channel: string;
  readonly pollMs: number;
  readonly download: (typeof DOWNLOAD_POLICIES)[number];
  /** `null`: `window` where there are windows, else `auto` (see `rebootPolicy`). */
  readonly reboot: (typeof REBOOT_POLICIES)[number] | null;
  readonly windows: readonly UpdateWindow[];
  /** `null`: no limit. */
  readonly bandwidthBytesPerSecond: number | null;
  readonly metered: boolean;
  /** When no delta fits. `null`: `ask` on a metered network, else `always` (see `fullDownloadPolicy`). */
  readonly fullDownloads: (typeof FULL_DOWNLOAD_POLICIES)[number] | null;
  readonly proxy: string | null;
  /** A file with certificates in place of the usual ones. */
  readonly ca: string | null;
  /** Where in a roll-out this machine stands: a number from 0 (first) to 1 (last) stands for itself, `normal` leaves it to chance. */
  readonly wave: (typeof WAVES)[number] | number;
}

/** UPDATE_PATHS.config. */
export interface UpdateFile {
  readonly format: '1.0';
  readonly settings: UpdateSettings;
}

/** `update:` of an image definition. */
export interface ImageUpdate {
  readonly settings: UpdateSettings;
  /** On the workstation, resolved: becomes UPDATE_PATHS.ca. */
  readonly caFile?: string;
}

export function rebootPolicy(settings: UpdateSettings): (typeof REBOOT_POLICIES)[number] {
  return settings.reboot ?? (settings.windows.length > 0 ? 'window' : 'auto');
}

export function fullDownloadPolicy(settings: UpdateSettings): (typeof FULL_DOWNLOAD_POLICIES)[number] {
  return settings.fullDownloads ?? (settings.metered ? 'ask' : 'always');
}

/** A channel's name: part of the name of a TUF role and of its file. */
export const CHANNEL = /^[a-z0-9][a-z0-9-]{0,31}$/;

/** `02:00` to minutes of the day, up to `24:00`. */
export function parseTimeOfDay(text: string): number | undefined {
  const [, hours, minutes] = /^(\d{1,2}):(\d\d)$/.exec(text) ?? [];
  const total = Number(hours) * 60 + Number(minutes);
  return Number(minutes) < 60 && total <= 1440 ? total : undefined;
}

/** `http://mirror.example/repository` without what is too much; `undefined` when it is no such address. */
export function parseHttpUrl(text: string): string | undefined {
  const match = /^https?:\/\/[A-Za-z0-9._~:[\]@%-]+(\/[A-Za-z0-9._~:@!$&'()*+,;=%/-]*)?$/.exec(text);
  return match === null || text.length > 1024 ? undefined : text.replace(/\/+$/, '');
}
