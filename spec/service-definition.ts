/** A parsed service to the definition that the builder works from. What takes two keys to be wrong is found here. */
import type { Diagnostic } from './diagnostic.ts';
import type { FileEntry } from './image.ts';
import { IMAGE_REFERENCE_HINT, isImagePath, isRegistryReference } from './image-reference.ts';
import { faultAt, positionAt, type Located, type Path, type Position } from './located.ts';
import type { HealthCheck, RestartPolicy } from './machine.ts';
import { dirname, resolve } from './posix-path.ts';
import { checkRules, type Fault } from './service-rules.ts';
import type { RootSource, ServiceDefinition, VolumeMount } from './service.ts';
import type { ServiceInput } from './service-schema.ts';

export interface ServiceParts {
  readonly name: string;
  /** The file that defines it, absolute. */
  readonly file: string;
  /** Where its name stands: the place of faults that belong to no key. */
  readonly keyAt: Position;
  readonly node: Located;
  readonly input: ServiceInput;
  readonly files: readonly FileEntry[];
  /** `env_file`, then `environment`. */
  readonly environment: Readonly<Record<string, string>>;
  /** Where `image` has forms of its own (services of a boot configuration), and was read already. */
  readonly root?: RootSource;
}

/** Everything that one service alone can tell. Faults go to `diagnostics`; the definition is only good without any. */
export function defineService(parts: ServiceParts, diagnostics: Diagnostic[]): ServiceDefinition {
  const { name, file, keyAt, node, input, files, environment } = parts;
  const fault: Fault = (path, message, hint, prefer = 'value') => {
    const at = path.length === 0 ? keyAt : positionAt(node, path, prefer);
    diagnostics.push(faultAt(at, 'service.invalid', message, hint));
  };
  const slipway = input['x-slipway'];
  const restart = restartPolicy(input.restart);
  const healthCheck = healthCheckOf(input, fault);
  checkRules(input, { restart, healthCheck }, fault);
  return {
    name,
    file,
    root: parts.root ?? rootOf(input, node, fault),
    ...optional('command', input.command ?? undefined),
    ...optional('entrypoint', input.entrypoint ?? undefined),
    environment,
    ...optional('workingDir', input.working_dir),
    ...optional('user', input.user),
    groupAdd: input.group_add.map(String),
    ...optional('hostname', input.hostname),
    volumes: mountsOf(input, fault),
    devices: input.devices,
    capAdd: input.cap_add,
    capDrop: input.cap_drop,
    privileged: input.privileged,
    securityOpt: securityOf(input, node, fault),
    readOnly: input.read_only,
    networkMode: input.network_mode,
    pid: input.pid ?? 'private',
    ipc: input.ipc,
    sysctls: asTexts(input.sysctls),
    ulimits: Object.entries(input.ulimits).map(([limit, value]) => ({
      name: limit,
      ...(typeof value === 'number' ? { soft: value, hard: value } : value),
    })),
    ...optional('memLimitBytes', input.mem_limit),
    ...optional('cpus', input.cpus),
    ...optional('cpuShares', input.cpu_shares),
    ...optional('pidsLimit', input.pids_limit === -1 ? undefined : input.pids_limit),
    ...optional('oomScoreAdj', input.oom_score_adj),
    restart,
    stopSignal: input.stop_signal,
    stopGraceMs: input.stop_grace_period,
    init: input.init,
    dependsOn: Array.isArray(input.depends_on)
      ? input.depends_on.map((service) => ({
          service,
          condition: 'service_started' as const,
          required: true,
          restart: false,
        }))
      : Object.entries(input.depends_on).map(([service, dependency]) => ({ service, ...dependency })),
    ...optional('healthCheck', healthCheck),
    labels: asTexts(input.labels),
    profiles: input.profiles,
    type: slipway.type,
    gate: slipway.gate,
    state: slipway.state,
    files,
  };
}

/** `key: value`, or nothing: with exactOptionalPropertyTypes an absent key is not `undefined`. */
function optional<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: T });
}

function rootOf(input: ServiceInput, node: Located, fault: Fault): RootSource {
  const { packages } = input['x-slipway'];
  if (input.image !== undefined && packages !== undefined) {
    fault(
      ['image'],
      "'image' and 'x-slipway.packages' are alternatives: a service has one of them",
      undefined,
      'key',
    );
  }
  if (packages !== undefined) {
    if ((input.command ?? []).length === 0 && (input.entrypoint ?? []).length === 0) {
      fault([], "'command' is missing: Debian packages do not say what to run");
    }
    return { kind: 'packages', packages };
  }
  if (input.image === undefined) {
    fault(
      [],
      'the service has no root file system',
      'name Debian packages with x-slipway.packages, or an OCI image with image',
    );
    return { kind: 'packages', packages: [] };
  }
  const { path } = positionAt(node, ['image']).source;
  if (isImagePath(input.image)) return { kind: 'image', reference: resolve(dirname(path), input.image) };
  if (!isRegistryReference(input.image)) {
    fault(['image'], `'${input.image}' is no image reference that names its registry`, IMAGE_REFERENCE_HINT);
  }
  return { kind: 'image', reference: input.image };
}

function mountsOf(input: ServiceInput, fault: Fault): readonly VolumeMount[] {
  const tmpfs = Array.isArray(input.tmpfs) ? input.tmpfs : [input.tmpfs];
  const seen = new Map<string, string>();
  const claim = (target: string, key: string, path: Path): void => {
    const earlier = seen.get(target);
    if (earlier !== undefined) fault(path, `${target} is mounted twice`, `it is in '${earlier}' already`);
    if (target === '/') fault(path, 'nothing can be mounted over the root file system');
    seen.set(target, key);
  };
  input.volumes.forEach((mount, index) => claim(mount.target, 'volumes', ['volumes', index]));
  tmpfs.forEach((mount, index) => claim(mount.target, 'tmpfs', ['tmpfs', index]));
  input['x-slipway'].state.forEach(({ path }, index) =>
    claim(path, 'x-slipway.state', ['x-slipway', 'state', index]),
  );
  return [...input.volumes, ...tmpfs];
}

function securityOf(input: ServiceInput, node: Located, fault: Fault): ServiceDefinition['securityOpt'] {
  let noNewPrivileges = false;
  let seccomp = 'default';
  input.security_opt.forEach((option, index) => {
    const [, key, value] = /^([a-z-]+)(?:[:=](.*))?$/.exec(option) ?? [];
    if (key === 'no-new-privileges' && (value === undefined || value === 'true' || value === 'false')) {
      noNewPrivileges = value !== 'false';
    } else if (key === 'seccomp' && value !== undefined && value !== '') {
      const { path } = positionAt(node, ['security_opt', index]).source;
      seccomp = value === 'unconfined' || value === 'default' ? value : resolve(dirname(path), value);
    } else {
      fault(
        ['security_opt', index],
        `'${option}' is not supported`,
        'supported: no-new-privileges:true, seccomp:unconfined, seccomp:./profile.json',
      );
    }
  });
  return { noNewPrivileges, seccomp };
}

function restartPolicy(text: string): RestartPolicy {
  const [policy, retries] = text.split(':');
  if (policy === 'on-failure')
    return retries === undefined ? { policy } : { policy, maxRetries: Number(retries) };
  return { policy: policy === 'always' || policy === 'unless-stopped' ? policy : 'no' };
}

function healthCheckOf({ healthcheck }: ServiceInput, fault: Fault): HealthCheck | undefined {
  if (healthcheck === undefined || healthcheck.disable) return undefined;
  const { test } = healthcheck;
  if (test === undefined) {
    fault(['healthcheck'], "'test' is missing", undefined, 'key');
    return undefined;
  }
  const [form, ...words] = typeof test === 'string' ? ['CMD-SHELL', test] : test;
  if (form === 'NONE' && words.length === 0) return undefined;
  const at = ['healthcheck', 'test'];
  if (form !== 'CMD' && form !== 'CMD-SHELL') {
    fault(at, 'the first word of a check is CMD, CMD-SHELL or NONE', undefined, 'key');
  } else if (words.join('').trim() === '' || (form === 'CMD-SHELL' && words.length !== 1)) {
    fault(
      at,
      form === 'CMD' ? 'the check names no program' : 'CMD-SHELL is followed by one text, the shell line',
      undefined,
      'key',
    );
  }
  if (healthcheck.interval === 0)
    fault(['healthcheck', 'interval'], 'an interval of zero would check without a pause');
  if (healthcheck.timeout === 0) fault(['healthcheck', 'timeout'], 'a time limit of zero fails every check');
  if (healthcheck.start_interval === 0)
    fault(['healthcheck', 'start_interval'], 'an interval of zero would check without a pause');
  return {
    command: form === 'CMD-SHELL' ? ['/bin/sh', '-c', words[0] ?? ''] : words,
    intervalMs: healthcheck.interval,
    timeoutMs: healthcheck.timeout,
    retries: healthcheck.retries,
    startPeriodMs: healthcheck.start_period,
    startIntervalMs: healthcheck.start_interval,
  };
}

/** A parsed list-or-map as texts. */
export function asTexts(input: ServiceInput['environment']): Readonly<Record<string, string>> {
  // The loader has made a mapping of texts of every list; what is left of a list here had a fault.
  if (Array.isArray(input)) return {};
  return Object.fromEntries(Object.entries(input).map(([key, value]) => [key, String(value ?? '')]));
}
