/** Where a configuration may write, and where what it says is found. */
import { MACHINE_PATHS } from '../../../spec/machine.ts';

/** Certificates of the image and the configuration; every container with the host's network sees them. */
export const CERTIFICATES = `${MACHINE_PATHS.generatedEtc}/ssl/ca-certificates.crt`;
/** TZif; links of /etc lead here. */
export const LOCAL_TIME = `${MACHINE_PATHS.generatedEtc}/localtime`;
/** For the `time` service: whichever of the two it is reads its own. */
export const CHRONY_SOURCES = `${MACHINE_PATHS.generatedEtc}/chrony/sources.conf`;
export const OPENNTPD = `${MACHINE_PATHS.generatedEtc}/openntpd.conf`;
/** One of the parts that the `network` service joins. */
export const RESOLV_PART = `${MACHINE_PATHS.generatedEtc}/resolv.d/00-provisioning`;
/** Kept by the `ssh` service. */
export const HOST_KEYS = '/var/lib/ssh';
export const HOMES = `${MACHINE_PATHS.state}/home`;

/** What a path is on the host (`/home` is a directory of state, `/var/run` is `/run`), or why nothing may be written there. */
export function hostPath(path: string): { readonly path: string } | { readonly problem: string } {
  const real = path.replace(/^\/home(?=\/|$)/, HOMES).replace(/^\/var\/run(?=\/|$)/, '/run');
  const refused = FORBIDDEN.find(({ below }) => isBelow(real, below));
  if (isBelow(real, HOMES) && real !== HOMES) return { path: real };
  if (refused !== undefined) return { problem: refused.why };
  if (WRITABLE.some((below) => isBelow(real, below) && real !== below)) return { path: real };
  return {
    problem: `the root file system is read-only and verified: write below /var, and let a service mount it where it wants it (${path} could be /var${path})`,
  };
}

export function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

const WRITABLE = ['/var', '/run', '/tmp'];
const FORBIDDEN = [
  {
    below: MACHINE_PATHS.state,
    why: `${MACHINE_PATHS.state} is the system's own: use another directory of /var`,
  },
  { below: MACHINE_PATHS.runtime, why: `${MACHINE_PATHS.runtime} is the system's own` },
  { below: MACHINE_PATHS.logs, why: `${MACHINE_PATHS.logs} holds the logs of services` },
  { below: '/run/slip', why: '/run/slip is where `slip` and the system talk' },
  { below: '/run/crun', why: '/run/crun belongs to crun' },
  {
    below: MACHINE_PATHS.generatedEtc,
    why: `${MACHINE_PATHS.generatedEtc} is generated: see hostname, users, resolv_conf, timezone, ntp`,
  },
] as const;
