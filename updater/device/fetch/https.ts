/**
 * HTTPS is a matter of curl: busybox's wget checks no server's certificate. An image has curl where its definition names an `https:` address or a `ca`; where
 * one is given later, by provisioning or by command, it is enforced or refused, never forgotten. Signatures protect what comes, either way.
 */
import { SlipwayError } from '../../../spec/error.ts';
import type { UpdateSettings } from '../../../spec/update.ts';
import type { System } from '../../../system/system.ts';
import { withoutPassword, type FetchConfig, type FetchProgram } from './config.ts';

const MAX_CERTIFICATES_BYTES = 1024 * 1024;

export function checksServers(system: System): boolean {
  return system.status('/usr/bin/curl') !== undefined;
}

/** In the order in which they are asked. */
export function allMirrors({ url, mirrors }: Pick<UpdateSettings, 'url' | 'mirrors'>): readonly string[] {
  return url === null ? mirrors : [url, ...mirrors];
}

/** For people: HTTPS without a check. */
export function uncheckedServer(system: System, settings: UpdateSettings): string | undefined {
  const secure = allMirrors(settings).find((mirror) => mirror.startsWith('https:'));
  if (secure === undefined || checksServers(system)) return undefined;
  const server = withoutPassword(secure);
  return settings.ca === null
    ? `this image has no curl, so nobody checks who ${server} is: signatures alone protect what comes`
    : `this image has no curl, so ${server} cannot be checked against ${settings.ca}, and nothing is fetched`;
}

/** Throws `fetch.ca` where an HTTPS mirror would have to be asked without the check that somebody wants. */
export function checkAuthority(
  { caFile, mirrors }: Pick<FetchConfig, 'caFile' | 'mirrors'>,
  { kind }: Pick<FetchProgram, 'kind'>,
): void {
  const secure = mirrors.find((mirror) => mirror.startsWith('https:'));
  if (caFile === undefined || secure === undefined || kind === 'curl') return;
  throw new SlipwayError(
    'fetch.ca',
    `${withoutPassword(secure)} cannot be checked against ${caFile}: this image has no curl`,
    {
      hint: 'an image has it whose definition has `update.ca` or an https:// address; plain http:// will do too: signatures protect what comes',
    },
  );
}

/** Why a file cannot be what servers are checked by; `undefined`: it can. */
export function faultOfAuthority(system: System, path: string): string | undefined {
  const file = system.status(path);
  if (file?.kind !== 'file') return `there is no file ${path}`;
  if (file.sizeBytes > MAX_CERTIFICATES_BYTES) return `${path} is too large`;
  return system.readText(path)?.includes('-----BEGIN CERTIFICATE-----') === true
    ? undefined
    : `${path} holds no certificate in PEM form`;
}
