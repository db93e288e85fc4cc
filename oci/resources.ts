/** cgroup v2 limits and process limits. */
import { SlipwayError } from '../spec/error.ts';
import type { ServiceDefinition } from '../spec/service.ts';
import type { OciDeviceRule, OciProcess, OciResources } from './runtime-spec.ts';

const CPU_PERIOD_US = 100_000;

export function ociResources(service: ServiceDefinition, devices: readonly OciDeviceRule[]): OciResources {
  const pids = service.pidsLimit;
  return {
    devices,
    ...(service.memLimitBytes === undefined ? {} : { memory: { limit: service.memLimitBytes } }),
    ...(service.cpus === undefined
      ? {}
      : { cpu: { quota: Math.round(service.cpus * CPU_PERIOD_US), period: CPU_PERIOD_US } }),
    // Docker: 0 and -1 both mean no limit.
    ...(pids === undefined || pids <= 0 ? {} : { pids: { limit: pids } }),
    ...(service.cpuShares === undefined
      ? {}
      : { unified: { 'cpu.weight': String(cpuWeight(service.cpuShares)) } }),
  };
}

/**
 * cgroup v1 shares (2..262144, usual 1024) as a cgroup v2 weight (1..10000, usual 100). Computed here, since crun's own conversion changed
 * between versions: the older, linear one made 1024 a weight of 39 where everything else has 100 (containers/crun#1721).
 */
export function cpuWeight(shares: number): number {
  const log = Math.log2(Math.min(262_144, Math.max(2, shares)));
  const exponent = (log * log + 125 * log) / 612 - 7 / 34;
  // The tiny step back keeps the fixed points (2, 1024, 262144) exact in floating point.
  return Math.min(10_000, Math.max(1, Math.ceil(10 ** exponent - 1e-6)));
}

const RLIMITS: readonly string[] = [
  ...['as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss'],
  ...['rtprio', 'rttime', 'sigpending', 'stack'],
];

/** Stands for RLIM_INFINITY, 2^64-1, which no JavaScript number is; configText (config-text.ts) writes that. */
export const RLIMIT_UNLIMITED = Number.MAX_SAFE_INTEGER;

export function ociRlimits(service: ServiceDefinition): NonNullable<OciProcess['rlimits']> {
  return [...service.ulimits]
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, soft, hard }) => {
      if (!RLIMITS.includes(name)) {
        throw new SlipwayError('bundle.ulimit', `service ${service.name}: there is no ulimit ${name}`, {
          hint: `known: ${RLIMITS.join(', ')}`,
        });
      }
      const limit = (value: number): number => (value < 0 ? RLIMIT_UNLIMITED : value);
      if (limit(soft) > limit(hard)) {
        throw new SlipwayError('bundle.ulimit', `service ${service.name}: ulimit ${name}: soft exceeds hard`);
      }
      return { type: `RLIMIT_${name.toUpperCase()}`, soft: limit(soft), hard: limit(hard) };
    });
}
