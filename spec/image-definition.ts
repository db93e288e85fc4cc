/** The merged layers of an image to the definition that the builder works from. */
import { faultAt, positionAt } from './located.ts';
import { fileEntries } from './file-entries.ts';
import type { Architecture, ImageDefinition } from './image.ts';
import { IMAGE_FILE_WORDS, type ImageLayers } from './image-layers.ts';
import { imageSchema, type ImageInput } from './image-schema.ts';
import { defineProvisioning } from './provisioning-definition.ts';
import { pathFrom, type Reading } from './reading.ts';
import { parseShape } from './shape.ts';
import { withoutResets } from './service-file.ts';
import { defineServices } from './service-load.ts';
import { nearest } from './suggest.ts';
import { defineUpdate } from './update-definition.ts';

const FLAVOUR = { cloud: 'linux-image-cloud-', full: 'linux-image-' } as const;

/** `undefined` when the settings themselves have faults; the services are checked in any case. */
export async function defineImage(
  reading: Reading,
  layers: ImageLayers,
  profiles: readonly string[],
  asked?: Architecture,
): Promise<ImageDefinition | undefined> {
  const active = new Set(profiles);
  const services = await defineServices(reading, layers.services, { profiles: active, complete: true });
  const settings = withoutResets(layers.settings);
  const { value, diagnostics } = parseShape(imageSchema, settings, IMAGE_FILE_WORDS);
  reading.diagnostics.push(...diagnostics);
  checkProfiles(reading, layers, profiles);
  if (layers.settings.entries.get('name') === undefined) {
    reading.diagnostics.push(
      faultAt(layers.startAt, 'image.name', "'name' is missing", 'an image needs a name: `name: my-host`'),
    );
  }
  if (value?.name === undefined) return undefined;
  checkUsers(reading, layers, value);
  const files = await fileEntries(reading, value.host.files, settings, ['host', 'files']);
  checkHostFiles(reading, layers, value);
  const update = value.update === undefined ? undefined : await defineUpdate(reading, settings, value.update);
  const provisioning =
    value.provisioning === undefined
      ? undefined
      : await defineProvisioning(reading, settings, value.provisioning, active.has('debug'));
  checkEncryption(reading, layers, value, active.has('debug'));
  const architecture = asked ?? value.architecture;
  return {
    file: layers.file,
    name: value.name,
    version: value.version,
    architecture,
    distribution: {
      suite: value.distribution.suite,
      ...(value.distribution.mirror === undefined ? {} : { mirror: value.distribution.mirror }),
      ...(value.distribution.security_mirror === undefined
        ? {}
        : { securityMirror: value.distribution.security_mirror }),
    },
    kernel: {
      package: value.kernel.package ?? `${FLAVOUR[value.kernel.flavour]}${architecture}`,
      modules: value.kernel.modules,
      initrdModules: value.kernel.initrd_modules,
      commandLine: value.kernel.command_line,
      firmware: value.kernel.firmware,
      microcode: value.kernel.microcode,
    },
    host: {
      packages: value.host.packages,
      files,
      shell: value.host.shell,
      gateSoakMs: value.host.gate_soak,
    },
    users: value.users.map(({ ssh_authorized_keys: sshAuthorizedKeys, ...user }) => ({
      ...user,
      sshAuthorizedKeys,
    })),
    disk: { sectorSize: value.disk.sector_size, stateSizeBytes: value.disk.state_size },
    ...(value.state.encrypt === 'none' ? {} : { state: { encrypt: value.state.encrypt } }),
    ...(update === undefined ? {} : { update }),
    ...(provisioning === undefined ? {} : { provisioning }),
    inputs: value.inputs.map((input, index) =>
      /^https?:\/\//.test(input) ? input : pathFrom(positionAt(settings, ['inputs', index]), input).path,
    ),
    profiles,
    services,
    sources: [...reading.sources],
  };
}

function checkProfiles(reading: Reading, layers: ImageLayers, profiles: readonly string[]): void {
  const known = new Set([
    'debug',
    ...layers.profiles,
    ...[...layers.services.values()].flatMap(serviceProfiles),
  ]);
  for (const profile of profiles.filter((name) => !known.has(name))) {
    const meant = nearest(profile, known);
    const hint = meant === undefined ? `it has: ${[...known].join(', ')}` : `did you mean '${meant}'?`;
    reading.diagnostics.push(
      faultAt(layers.startAt, 'image.profile', `the image has no profile '${profile}'`, hint),
    );
  }
}

function serviceProfiles({ node }: { node: ImageLayers['settings'] | { kind: string } }): readonly string[] {
  const profiles = 'entries' in node ? node.entries.get('profiles')?.value : undefined;
  return profiles?.kind === 'list'
    ? profiles.items.flatMap((item) => (item.kind === 'scalar' ? item.text : []))
    : [];
}

function checkUsers(reading: Reading, layers: ImageLayers, value: ImageInput): void {
  const owners = new Map<string | number, string>();
  value.users.forEach(({ name, uid }, index) => {
    for (const [key, what] of [
      ['name', name],
      ['uid', uid],
    ] as const) {
      const earlier = owners.get(what);
      if (earlier !== undefined) {
        const at = positionAt(layers.settings, ['users', index, key]);
        reading.diagnostics.push(faultAt(at, 'image.user', `the ${key} ${what} is taken by '${earlier}'`));
      }
      owners.set(what, name);
    }
  });
}

/** A debug image gives whoever sits at its console a root shell: no TPM may ever open a state partition for it. */
function checkEncryption(reading: Reading, layers: ImageLayers, value: ImageInput, debug: boolean): void {
  if (!debug || value.state.encrypt === 'none') return;
  const at = positionAt(layers.settings, ['state', 'encrypt']);
  const hint = 'give the profile a plain one: `profiles: { debug: { state: { encrypt: none } } }`';
  reading.diagnostics.push(
    faultAt(at, 'image.debug-encryption', 'a debug image has no signature that a TPM would accept', hint),
  );
}

/** What the machine mounts over the root: a file there would never be seen. */
const MOUNTED = ['dev', 'proc', 'run', 'sys', 'tmp', 'var'];

function checkHostFiles(reading: Reading, layers: ImageLayers, value: ImageInput): void {
  value.host.files.forEach(({ path }, index) => {
    const top = path.split('/')[1] ?? '';
    if (!MOUNTED.includes(top)) return;
    const at = positionAt(layers.settings, ['host', 'files', index, 'path']);
    const hint = 'files of the host lie in the read-only root: use /etc, /usr or /opt';
    reading.diagnostics.push(
      faultAt(
        at,
        'image.hidden-file',
        `the machine mounts something over /${top}, so ${path} would not be seen`,
        hint,
      ),
    );
  });
}
