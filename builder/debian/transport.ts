/** How the machine reaches a mirror: Node speaks to plain ones itself; proxies, credentials and other transports are left to apt. */
import { existsSync, readdirSync } from 'node:fs';
import { run } from '../process/run.ts';

const PROXY_VARIABLES = [
  'http_proxy',
  'https_proxy',
  'ftp_proxy',
  'no_proxy',
  'all_proxy',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
];

/** The user's proxies, for programs that fetch. */
export function proxyEnvironment(): Record<string, string> {
  return Object.fromEntries(
    PROXY_VARIABLES.flatMap((name) => {
      const value = process.env[name];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );
}

/**
 * The machine's settings of apt's `Acquire`, as lines of an apt.conf: proxies, certificates, time limits. Those that would allow unsigned
 * archives are left out.
 */
export async function hostAcquireSettings(): Promise<readonly string[]> {
  const { stdout } = await run(['apt-config', 'dump', '--no-empty']);
  const lines = stdout.toString('utf8').split('\n');
  return lines.filter((line) => /^Acquire::(?!IndexTargets|Languages|GzipIndexes|Allow)/i.test(line));
}

/** Whether an address is fetched by apt's own methods rather than by Node. */
export function needsApt(address: string, acquireSettings: readonly string[]): boolean {
  if (/^file:/.test(address) || address.startsWith('/')) return false;
  if (!/^https?:\/\//.test(address)) return true;
  if (
    Object.keys(proxyEnvironment()).some((name) => /^(https?|all)_proxy$/i.test(name)) &&
    !isLoopback(address)
  )
    return true;
  if (acquireSettings.some((line) => /^Acquire::https?::(.*::)?(Proxy|Verify|CaInfo|SslCert)/i.test(line)))
    return true;
  return hasCredentials();
}

function isLoopback(address: string): boolean {
  return /^https?:\/\/(127\.|localhost[:/]|\[::1\])/.test(address);
}

/** apt_auth.conf(5). */
function hasCredentials(): boolean {
  const folder = '/etc/apt/auth.conf.d';
  return (
    existsSync('/etc/apt/auth.conf') ||
    (existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.conf')))
  );
}
