/**
 * `services:` of a boot configuration: the same schema, rules and diagnostics as for a service file (spec/), then what such a service may do
 * (limits.ts), then what only all of them together can tell. Pure; the same on the workstation (`slipway validate`) and on the machine.
 */
import { normaliseService } from '../../../spec/compose-forms.ts';
import { UNSUPPORTED_SERVICE_KEYS } from '../../../spec/compose-keys.ts';
import type { Diagnostic } from '../../../spec/diagnostic.ts';
import type { FileEntry } from '../../../spec/image.ts';
import { resolveDollars } from '../../../spec/interpolate.ts';
import { faultAt, positionAt } from '../../../spec/located.ts';
import type { MachineService } from '../../../spec/machine.ts';
import { NAME } from '../../../spec/names.ts';
import { dirname } from '../../../spec/posix-path.ts';
import type { Right } from '../../../spec/provisioning.ts';
import { checkServices as checkTogether, type DefinedService } from '../../../spec/service-check.ts';
import { asTexts, defineService } from '../../../spec/service-definition.ts';
import { serviceSchema, type ServiceInput } from '../../../spec/service-schema.ts';
import { parseShape } from '../../../spec/shape.ts';
import type { RootSource, ServiceDefinition } from '../../../spec/service.ts';
import type { ServiceEntry } from '../config.ts';
import { checkLimits, type Refuse } from './limits.ts';
import { readReference, type ImageSource } from './reference.ts';

export interface ServicesContext {
  /** Of the source that the configuration came from. */
  readonly rights: readonly Right[];
  /** Of the signed image; `undefined` where the image is not known (on a workstation). */
  readonly imageServices?: readonly MachineService[];
  /** Whether the machine has tini for `init: true`; `undefined` where that is not known. */
  readonly hasInit?: boolean;
}

/** A service that is well. Plain JSON. */
export interface CheckedService {
  readonly name: string;
  readonly definition: ServiceDefinition;
  readonly image: ImageSource;
  /** As written, for messages and for finding what was fetched for it before. */
  readonly reference: string;
}

export interface CheckedServices {
  /** Without those that have a fault. */
  readonly services: readonly CheckedService[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Keys that Compose knows, where the advice for service files would not fit. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  ...UNSUPPORTED_SERVICE_KEYS,
  build: 'build the OCI image first, push it to a registry, and name it with image',
  pull_policy: 'remove it: an image is fetched when it is missing; another tag or digest fetches another one',
  pull_refresh_after: 'remove it: another tag or digest fetches another image',
  secrets: 'use write_files and a bind mount',
  platform: 'remove it: it is that of the machine',
  storage_opt: 'remove it: what a service writes beside its volumes is kept in memory',
};

export function checkServices(entries: readonly ServiceEntry[], context: ServicesContext): CheckedServices {
  const diagnostics: Diagnostic[] = [];
  const known = context.imageServices ?? [];
  const own = new Map(known.map((service) => [service.name, service]));
  const takenVolumes = new Set(known.flatMap(volumesOf));
  const defined: (DefinedService & { image: ImageSource; reference: string })[] = [];
  const faulty = new Set<string>();
  for (const entry of entries) {
    const faults: Diagnostic[] = [];
    const checked = checkOne(entry, { ...context, takenVolumes }, faults);
    if (own.has(entry.name.value)) {
      const message = `the image has a service '${entry.name.value}' of its own, which cannot be replaced`;
      faults.push(faultAt(entry.keyAt, 'service.duplicate', message, 'choose another name'));
    }
    if (
      checked?.image.kind === 'service' &&
      context.imageServices !== undefined &&
      !own.has(checked.image.name)
    ) {
      const at = positionAt(checked.located.node, ['image']);
      const hint = `the image has: ${[...own.keys()].join(', ')}`;
      faults.push(faultAt(at, 'service.image', `the image has no service '${checked.image.name}'`, hint));
    }
    diagnostics.push(...faults);
    if (checked === undefined || faults.some(({ severity }) => severity === 'error'))
      faulty.add(entry.name.value);
    else defined.push(checked);
  }
  const together = checkTogether([...defined, ...known.map(standIn)], {
    faulty,
    inactive: new Map(),
    complete: context.imageServices !== undefined,
  });
  diagnostics.push(...together);
  for (const { name, fault } of nestedBinds(defined)) {
    faulty.add(name);
    diagnostics.push(fault);
  }
  const others = context.imageServices === undefined ? undefined : new Set(own.keys());
  const whole = defined.filter(({ definition }) => !faulty.has(definition.name));
  const { ready, waiting } = startable(whole, others);
  for (const { located, needs } of waiting) {
    if (!faulty.has(needs)) continue;
    const at = positionAt(located.node, ['depends_on', needs], 'key');
    const message = `'${located.name}' needs '${needs}', which has a fault of its own`;
    diagnostics.push(faultAt(at, 'service.dependency', message));
  }
  return {
    services: ready.map(({ definition, image, reference }) => ({
      name: definition.name,
      definition,
      image,
      reference,
    })),
    diagnostics,
  };
}

/** Services that can start sometime: what they require is there, and does not wait for them. `others`: the image's; `undefined`: anything may be there. */
export function startable<S extends { readonly definition: ServiceDefinition }>(
  services: readonly S[],
  others: ReadonlySet<string> | undefined,
): { readonly ready: readonly S[]; readonly waiting: readonly (S & { readonly needs: string })[] } {
  let left = services;
  const ready: S[] = [];
  const there = new Set(others);
  const names = new Set(services.map(({ definition }) => definition.name));
  const missing = ({ definition }: S): string | undefined =>
    definition.dependsOn.find(
      ({ service, required }) =>
        required && !there.has(service) && (others !== undefined || names.has(service)),
    )?.service;
  for (let before = -1; before !== ready.length;) {
    before = ready.length;
    const [now, later] = [
      left.filter((one) => missing(one) === undefined),
      left.filter((one) => missing(one) !== undefined),
    ];
    ready.push(...now);
    for (const { definition } of now) there.add(definition.name);
    left = later;
  }
  const kept = new Set(ready);
  return {
    ready: services.filter((one) => kept.has(one)),
    waiting: left.map((one) => ({ ...one, needs: missing(one) ?? '' })),
  };
}

function checkOne(
  entry: ServiceEntry,
  context: ServicesContext & { takenVolumes: ReadonlySet<string> },
  diagnostics: Diagnostic[],
): (DefinedService & { image: ImageSource; reference: string }) | undefined {
  const { keyAt } = entry;
  const name = entry.name.value;
  if (!NAME.test(name)) {
    diagnostics.push(faultAt(keyAt, 'input.key', 'a service name has lower-case letters, digits, - _ and .'));
  }
  const node = normaliseService(resolveDollars(entry.node, diagnostics), diagnostics);
  const { value: input, diagnostics: shape } = parseShape(serviceSchema, node, {
    unsupported: (path) => (path.length === 0 ? UNSUPPORTED : undefined),
    noun: (path) => (path.length === 0 ? 'a service' : undefined),
  });
  diagnostics.push(...shape);
  if (input === undefined) return undefined;
  const refuse: Refuse = (path, message, hint, prefer = 'value') => {
    diagnostics.push(faultAt(positionAt(node, path, prefer), 'service.refused', message, hint));
  };
  const image = imageOf(input, diagnostics, entry, node);
  const root: RootSource = { kind: 'image', reference: input.image ?? '' };
  const parts = { name, file: keyAt.source.path, keyAt, node, input, root };
  const environment = asTexts(input.environment);
  const definition = defineService({ ...parts, files: filesOf(input), environment }, diagnostics);
  checkLimits(input, definition, context, refuse);
  if (image === undefined) return undefined;
  return { located: { name, keyAt, node }, definition, image, reference: input.image ?? '' };
}

function imageOf(
  input: ServiceInput,
  diagnostics: Diagnostic[],
  { keyAt }: ServiceEntry,
  node: ServiceEntry['node'],
): ImageSource | undefined {
  if (input.image === undefined) {
    const hint = 'write registry/repository@sha256:..., a tar file below /var, or service:NAME';
    diagnostics.push(faultAt(keyAt, 'service.image', "'image' is missing", hint));
    return undefined;
  }
  const at = positionAt(node, ['image']);
  const result = readReference(input.image);
  if ('fault' in result) {
    diagnostics.push(faultAt(at, 'service.image', result.fault, result.hint));
    return undefined;
  }
  const { source } = result;
  if (source.kind === 'registry' && source.digest === undefined) {
    const message = `whoever holds ${source.repository} decides what '${source.tag ?? 'latest'}' is`;
    const hint = `pin it: ${source.host}/${source.repository}@sha256:...`;
    diagnostics.push(faultAt(at, 'service.not-pinned', message, hint, 'warning'));
  }
  return source;
}

function filesOf(input: ServiceInput): readonly FileEntry[] {
  return input['x-slipway'].files
    .map(({ path, uid, gid, mode, content }) => ({
      path,
      uid,
      gid,
      mode: mode ?? 0o644,
      content: content ?? '',
    }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A service that may write a directory could put a link in the place of another one's source below it, and lead that anywhere. */
function nestedBinds(
  services: readonly DefinedService[],
): readonly { readonly name: string; readonly fault: Diagnostic }[] {
  const binds = services.flatMap(({ located, definition }) =>
    definition.volumes.flatMap((mount, index) =>
      mount.kind === 'bind' ? [{ located, index, source: mount.source, readOnly: mount.readOnly }] : [],
    ),
  );
  return binds.flatMap(({ located, index, source }) => {
    const over = binds.find((other) => !other.readOnly && source.startsWith(`${other.source}/`));
    if (over === undefined) return [];
    const message = `${source} lies in ${over.source}, which the service '${over.located.name}' may write`;
    const hint = 'mount the outer directory once, or keep the two apart';
    const at = positionAt(located.node, ['volumes', index]);
    return [{ name: located.name, fault: faultAt(at, 'service.refused', message, hint) }];
  });
}

/** A service of the image, as far as one of ours may wait for it. */
function standIn(service: MachineService): DefinedService {
  const { name, type, healthCheck, restart } = service;
  const source = { path: '', display: '', lines: [] };
  const at = { source, line: 1, column: 1, length: 1 };
  const definition = { name, type, healthCheck, restart, dependsOn: [] } as unknown as ServiceDefinition;
  return { located: { name, keyAt: at, node: { kind: 'map', at, entries: new Map(), size: 1 } }, definition };
}

function volumesOf({ directories }: MachineService): readonly string[] {
  return directories.flatMap(({ path }) =>
    dirname(path) === '/var/lib/slipway/volumes' ? [path.slice('/var/lib/slipway/volumes/'.length)] : [],
  );
}
