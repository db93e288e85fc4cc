/** Merged service trees to definitions: environment files and folders are read, and everything is checked. */
import type { Diagnostic } from './diagnostic.ts';
import { faultAt, nodeAt, positionAt, type Position } from './located.ts';
import { parseEnvFile } from './env-file.ts';
import { fileEntries } from './file-entries.ts';
import { pathFrom, readInput, type LocatedService, type LocatedServices, type Reading } from './reading.ts';
import { parseShape } from './shape.ts';
import { checkServices, type DefinedService } from './service-check.ts';
import { asTexts, defineService } from './service-definition.ts';
import { SERVICE_FILE_WORDS, withoutResets } from './service-file.ts';
import { serviceSchema, type ServiceInput } from './service-schema.ts';
import type { ServiceDefinition } from './service.ts';

/** The services that the active profiles take. `complete`: nothing else belongs to the image, so every dependency must be among them. */
export async function defineServices(
  reading: Reading,
  services: LocatedServices,
  options: { profiles: ReadonlySet<string>; complete: boolean },
): Promise<readonly ServiceDefinition[]> {
  const defined: DefinedService[] = [];
  const faulty = new Set<string>();
  const inactive = new Map<string, readonly string[]>();
  for (const located of services.values()) {
    const input = serviceInput(reading, located);
    if (input === undefined) {
      faulty.add(located.name);
      continue;
    }
    const definition = await defineOne(reading, located, input);
    const active =
      input.profiles.length === 0 || input.profiles.some((profile) => options.profiles.has(profile));
    if (active) defined.push({ located, definition });
    else inactive.set(located.name, input.profiles);
  }
  reading.diagnostics.push(...checkServices(defined, { faulty, inactive, complete: options.complete }));
  return defined.map(({ definition }) => definition);
}

function serviceInput(reading: Reading, { node }: LocatedService): ServiceInput | undefined {
  // The file's own check has told so already.
  if (node.kind !== 'map') return undefined;
  const { value, diagnostics } = parseShape(serviceSchema, withoutResets(node), {
    unsupported: (path) => SERVICE_FILE_WORDS.unsupported?.(['services', '', ...path]),
    noun: (path) => (path.length === 0 ? 'a service' : undefined),
  });
  reading.diagnostics.push(...diagnostics);
  return value;
}

async function defineOne(
  reading: Reading,
  located: LocatedService,
  input: ServiceInput,
): Promise<ServiceDefinition> {
  const { name, node, keyAt, volumes } = located;
  const files = await fileEntries(reading, input['x-slipway'].files, node, ['x-slipway', 'files']);
  const environment = { ...(await envFiles(reading, located, input)), ...asTexts(input.environment) };
  const definition = defineService(
    { name, file: keyAt.source.path, keyAt, node, input, files, environment },
    reading.diagnostics,
  );
  definition.volumes.forEach((mount, index) => {
    const at = positionAt(node, ['volumes', index]);
    // A volume is declared in the file where it is used, so what `extends` brought is not asked for here.
    if (
      mount.kind !== 'volume' ||
      volumes === undefined ||
      volumes.has(mount.name) ||
      at.source.path !== keyAt.source.path
    )
      return;
    const hint = `add \`volumes: { ${mount.name}: {} }\` at the top level of the file`;
    reading.diagnostics.push(
      faultAt(at, 'service.volume', `the volume '${mount.name}' is not declared`, hint),
    );
  });
  reading.diagnostics.push(...hiddenFiles(located, input, definition));
  const { seccomp } = definition.securityOpt;
  if (seccomp.startsWith('/')) await readInput(reading, seccomp, positionAt(node, ['security_opt'], 'key'));
  return definition;
}

/** A file below a mount would never be seen. At the very target of a mount it is the mount point, which is fine. */
function hiddenFiles(
  { node, keyAt }: LocatedService,
  input: ServiceInput,
  { files, volumes, state }: ServiceDefinition,
): readonly Diagnostic[] {
  const targets = [...volumes.map(({ target }) => target), ...state.map(({ path }) => path)];
  return files.flatMap(({ path }) => {
    const target = targets.find((mount) => path.startsWith(`${mount}/`));
    if (target === undefined) return [];
    const index = input['x-slipway'].files.findIndex((file) => file.path === path);
    const at = index < 0 ? keyAt : positionAt(node, ['x-slipway', 'files', index, 'path']);
    return [faultAt(at, 'files.hidden', `${path} is never seen: the service mounts something on ${target}`)];
  });
}

async function envFiles(
  reading: Reading,
  { node }: LocatedService,
  input: ServiceInput,
): Promise<Record<string, string>> {
  const environment: Record<string, string> = {};
  const items =
    input.env_file === undefined ? [] : Array.isArray(input.env_file) ? input.env_file : [input.env_file];
  for (const [index, item] of items.entries()) {
    const written = typeof item === 'string' ? { path: item, required: true, format: undefined } : item;
    const at = envPosition(node, index);
    const { path, display } = pathFrom(at, written.path);
    if (!written.required && (await reading.files.kindOf(path)) === 'none') continue;
    const content = await readInput(reading, path, at);
    if (content === undefined) continue;
    const text = typeof content === 'string' ? content : new TextDecoder().decode(content);
    const { variables, faults } = parseEnvFile(text, written.format ?? 'compose');
    const source = { path, display, lines: text.split(/\r?\n/) };
    for (const { line, message } of faults) {
      const length = Math.max(1, source.lines[line - 1]?.length ?? 1);
      reading.diagnostics.push(faultAt({ source, line, column: 1, length }, 'compose.env-file', message));
    }
    for (const [key, value] of variables) environment[key] = value;
  }
  return environment;
}

function envPosition(node: LocatedService['node'], index: number): Position {
  const item = nodeAt(node, ['env_file', index]);
  return item?.kind === 'map' ? positionAt(item, ['path']) : positionAt(node, ['env_file', index]);
}
