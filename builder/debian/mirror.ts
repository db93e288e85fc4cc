/** Where Debian's archive is fetched from: the image, the environment, or what the machine's own apt is configured with. */
import { existsSync, readFileSync } from 'node:fs';
import type { ImageDefinition } from '../../spec/image.ts';
import { SlipwayError } from '../../spec/error.ts';
import { run } from '../process/run.ts';

/** Base addresses (what stands before `dists/` and `pool/`), without a trailing slash; each list is tried in order. */
export interface Mirrors {
  readonly main: readonly string[];
  readonly security: readonly string[];
}

export interface MirrorOptions {
  /** Extra arguments of `apt-get`, so that tests can show it another configuration. */
  readonly aptOptions?: readonly string[];
  readonly osRelease?: string;
}

const REMEDY =
  "set distribution.mirror in the image definition or SLIPWAY_MIRROR to a Debian mirror (what stands before dists/), and distribution.security_mirror or SLIPWAY_SECURITY_MIRROR to a mirror of Debian's security archive";

/** Throws `debian.no-mirror` where nothing says which mirror to use. */
export async function findMirrors(
  distribution: Pick<ImageDefinition['distribution'], 'mirror' | 'securityMirror'>,
  options: MirrorOptions = {},
): Promise<Mirrors> {
  const main = distribution.mirror ?? environment('SLIPWAY_MIRROR');
  const security = distribution.securityMirror ?? environment('SLIPWAY_SECURITY_MIRROR') ?? siblingOf(main);
  if (main !== undefined && security !== undefined) return { main: [trim(main)], security: [trim(security)] };

  const host = await hostMirrors(options);
  const mirrors = {
    main: main === undefined ? (host?.main ?? []) : [trim(main)],
    security: security === undefined ? (host?.security ?? []) : [trim(security)],
  };
  // A machine that runs testing or unstable has no security archive configured.
  if (mirrors.security.length === 0)
    mirrors.security = mirrors.main.flatMap((mirror) => siblingOf(mirror) ?? []);
  for (const [kind, list] of Object.entries(mirrors)) {
    if (list.length === 0) {
      const why = host === undefined ? 'this machine does not run Debian' : "this machine's apt names none";
      throw new SlipwayError('debian.no-mirror', `no ${kind} mirror of Debian is known: ${why}`, {
        hint: REMEDY,
      });
    }
  }
  return mirrors;
}

/** The mirrors for a suite of the archive: `trixie-security` lives in an archive of its own. */
export function mirrorsOf(mirrors: Mirrors, suite: string): readonly string[] {
  return suite.endsWith('-security') ? mirrors.security : mirrors.main;
}

function environment(name: string): string | undefined {
  const value = process.env[name];
  return value === undefined || value === '' ? undefined : value;
}

/** Mirrors that carry both archives carry them side by side, as `debian` and `debian-security`. */
function siblingOf(mirror: string | undefined): string | undefined {
  return mirror !== undefined && /\/debian\/*$/.test(mirror) ? `${trim(mirror)}-security` : undefined;
}

/** apt itself reads its configuration for us, so that every form of it (one-line, deb822, included files) counts. */
async function hostMirrors(options: MirrorOptions): Promise<Mirrors | undefined> {
  const osRelease =
    options.osRelease ?? (existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '');
  if (!/^ID=["']?debian["']?$/m.test(osRelease)) return undefined;
  const { stdout } = await run(
    [
      'apt-get',
      ...(options.aptOptions ?? []),
      'indextargets',
      '--no-release-info',
      '--format',
      '$(REPO_URI) $(RELEASE) $(COMPONENT)',
      'Created-By: Packages',
    ],
    { hint: REMEDY },
  );
  const suites = new Set([/^VERSION_CODENAME=["']?([a-z]+)/m.exec(osRelease)?.[1] ?? '', ...ROLLING_SUITES]);
  const main: string[] = [];
  const security: string[] = [];
  for (const line of stdout.toString('utf8').split('\n')) {
    const [address, release = '', component] = line.trim().split(/\s+/);
    if (address === undefined || address === '' || component !== 'main') continue;
    const suite = release.replace(/[-/](updates|security)$/, '');
    if (!suites.has(suite)) continue;
    (/[-/]security$/.test(release) ? security : main).push(...mirrorList(address));
  }
  return { main: [...new Set(main)], security: [...new Set(security)] };
}

const ROLLING_SUITES = ['stable', 'testing', 'unstable', 'sid', 'bookworm', 'trixie', 'forky'];

/** `mirror+file:/path` names a file with one address a line (apt-transport-mirror(1)); cloud images of Debian use it. */
function mirrorList(address: string): readonly string[] {
  if (!address.startsWith('mirror+file:')) return [trim(address)];
  const path = address
    .slice('mirror+file:'.length)
    .replace(/^\/\/+/, '/')
    .replace(/\/+$/, '');
  return readFileSync(path, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/)[0] ?? '')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map(trim);
}

function trim(address: string): string {
  return address.replace(/\/+$/, '');
}
