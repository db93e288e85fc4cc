/** `update:`, in the form in which the updater reads it (updater/device/policy/settings.ts): each setting as a text, by its key. */
import { UPDATE_PATHS, WEEKDAYS, type UpdateWindow } from '../../../spec/update.ts';
import type { MachineConfig, UpdateOverrides } from '../config.ts';
import { CERTIFICATES } from './paths.ts';
import { runtimeFile } from './settings.ts';
import type { Step } from './step.ts';

export const UPDATE_SETTINGS = `${UPDATE_PATHS.runtime}/provisioning.json`;
export const UPDATE_CA = `${UPDATE_PATHS.runtime}/provisioning-ca.pem`;

export function planUpdate({ update, caCertificates }: MachineConfig): readonly Step[] {
  // Whoever trusts a certificate authority of his own means downloads too.
  const ca = update?.ca !== undefined ? UPDATE_CA : caCertificates !== undefined ? CERTIFICATES : undefined;
  const place = update?.at ?? caCertificates?.at;
  if (place === undefined) return [];
  const settings = { ...(update === undefined ? {} : texts(update)), ...(ca === undefined ? {} : { ca }) };
  const key = update === undefined ? 'ca_certs' : 'update';
  const text = `${JSON.stringify({ format: '1.0', settings })}\n`;
  return [
    ...(update?.ca === undefined
      ? []
      : [runtimeFile(key, place, UPDATE_CA, { text: `${update.ca.value.trim()}\n` })]),
    // A proxy's address may hold a password.
    runtimeFile(key, place, UPDATE_SETTINGS, { text }, { mode: 0o600 }),
  ];
}

function texts(update: UpdateOverrides): Record<string, string> {
  const written: Record<string, string | undefined> = {
    enabled: update.enabled?.value.toString(),
    url: update.url?.value,
    mirrors: update.mirrors?.map(({ value }) => value).join(' '),
    channel: update.channel?.value,
    poll: update.pollMs === undefined ? undefined : `${update.pollMs.value}ms`,
    download: update.download?.value,
    reboot: update.reboot?.value,
    windows: update.windows === undefined ? undefined : formatWindows(update.windows.value),
    bandwidth_limit: update.bandwidthBytesPerSecond?.value.toString(),
    metered: update.metered?.value.toString(),
    full_downloads: update.fullDownloads?.value,
    proxy: update.proxy?.value,
    wave: update.wave?.value.toString(),
  };
  return Object.fromEntries(
    Object.entries(written)
      .filter((entry): entry is [string, string] => entry[1] !== undefined)
      .map(([key, text]) => [key, text === '' ? 'none' : text]),
  );
}

function formatWindows(windows: readonly UpdateWindow[]): string {
  return windows
    .map(({ days, fromMinute, toMinute, timeZone }) => {
      const names = days.length === 7 ? '' : `${days.map((day) => WEEKDAYS[day]).join(',')} `;
      return `${names}${time(fromMinute)}-${time(toMinute > 1440 ? toMinute - 1440 : toMinute)} ${timeZone}`;
    })
    .join('; ');
}

function time(minute: number): string {
  return `${Math.floor(minute / 60)}`.padStart(2, '0') + ':' + `${minute % 60}`.padStart(2, '0');
}
