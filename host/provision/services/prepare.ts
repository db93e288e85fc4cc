/**
 * From the services of a boot configuration to bundles that slipd can start. Each service stands for itself: one whose image cannot be had
 * leaves the others as they are. Running it again does only what is missing.
 */
import { SlipwayError } from '../../../spec/error.ts';
import type { Architecture } from '../../../spec/image.ts';
import { MACHINE_PATHS, type MachineDescription } from '../../../spec/machine.ts';
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import { INIT_SOURCE } from '../../../oci/init.ts';
import type { System } from '../../../system/system.ts';
import { placeOf, type ServiceEntry } from '../config.ts';
import { writeBundle, type BundleRoot } from './bundle.ts';
import { checkServices, startable, type CheckedService } from './check.ts';
import { collect } from './collect.ts';
import { openArchive } from './image/archive.ts';
import { uncompressed } from './image/bytes.ts';
import { diskGuard } from './image/disk.ts';
import { removeTree } from './image/layer.ts';
import { openRegistry } from './image/registry.ts';
import { IMAGE_LIMITS, remember, storeImage, storedImages, type ImageStore } from './image/store.ts';
import { unpackEntries } from './pack.ts';
import type {
  ProvisionedService,
  ServiceOutcome,
  ServicePaths,
  ServicesRequest,
  ServicesResult,
} from './request.ts';

export const SERVICE_PATHS: ServicePaths = {
  images: `${MACHINE_PATHS.state}/images`,
  bundles: `${PROVISIONING_PATHS.state}/services`,
  containers: MACHINE_PATHS.containers,
  overlays: MACHINE_PATHS.overlays,
  filters: PROVISIONING_PATHS.serviceFilters,
};

/** `machine`: the signed description. */
export async function handleServices(
  system: System,
  request: ServicesRequest,
  machine: MachineDescription,
  paths: ServicePaths = SERVICE_PATHS,
): Promise<ServicesResult> {
  const entries = unpackEntries(request.entries);
  const { services: checked, diagnostics } = checkServices(entries, {
    rights: request.rights,
    imageServices: machine.services,
    hasInit: system.status(INIT_SOURCE) !== undefined,
  });
  if (request.kind === 'check') return { format: '1.0', services: [], outcomes: [], diagnostics };

  const done = new Map<string, ProvisionedService>();
  const missed = new Map<string, { state: 'pending' | 'failed'; reason: string }>();
  const nothing = entries.length === 0 && system.status(paths.images) === undefined;
  if (!nothing) {
    for (const path of [paths.images, paths.bundles]) {
      if (!system.makeDirectory(path, 0o700))
        throw new SlipwayError('services.write', `${path} cannot be made`);
    }
    const guard = diskGuard(system, paths.images);
    const store: ImageStore = { system, directory: paths.images, guard };
    const references = new Set(checked.map((service) => referenceOf(system, service)));
    const names = new Set(checked.map(({ name }) => name));
    const inUse = new Set(request.inUse);
    // First of all, so that what nobody needs takes no room from what is to come.
    collect(store, paths, { bundles: inUse, names, references });
    const architecture = architectureOf(machine);
    for (const service of checked) {
      try {
        const root = await bundleRoot(store, paths, service, request.network, architecture);
        if (root === undefined) {
          missed.set(service.name, {
            state: 'pending',
            reason: 'its image is fetched when there is a network',
          });
          continue;
        }
        done.set(service.name, await writeBundle(store, paths, service, root, architecture));
      } catch (error) {
        missed.set(service.name, told(error));
      }
    }
    const made = [...done.values()].map(({ bundle }) => bundle);
    const unfinished = new Set([...missed.keys()]);
    collect(store, paths, { bundles: new Set([...inUse, ...made]), names: unfinished, references });
    if (missed.size === 0) removeTree(system, `${paths.images}/.blobs`);
  }
  const others = new Set(machine.services.map(({ name }) => name));
  const { ready, waiting } = startable(
    checked.filter(({ name }) => done.has(name)),
    others,
  );
  for (const { name, needs } of waiting) {
    missed.set(name, {
      state: missed.get(needs)?.state ?? 'failed',
      reason: `it needs '${needs}', which is not there`,
    });
  }
  return {
    format: '1.0',
    services: ready.flatMap(({ name }) => done.get(name) ?? []),
    outcomes: entries.map((entry) => outcomeOf(entry, new Set(ready.map(({ name }) => name)), missed)),
    diagnostics,
  };
}

function outcomeOf(
  { name, keyAt }: ServiceEntry,
  ready: ReadonlySet<string>,
  missed: ReadonlyMap<string, { state: 'pending' | 'failed'; reason: string }>,
): ServiceOutcome {
  const at = placeOf(keyAt);
  if (ready.has(name.value)) return { name: name.value, at, state: 'applied', reason: null };
  const { state, reason } = missed.get(name.value) ?? {
    state: 'failed',
    reason: 'see the faults of its lines',
  };
  return { name: name.value, at, state, reason };
}

/** `undefined`: with the network it could be had. */
async function bundleRoot(
  store: ImageStore,
  paths: ServicePaths,
  service: CheckedService,
  network: 'yes' | 'no',
  architecture: Architecture,
): Promise<BundleRoot | undefined> {
  const { system } = store;
  const { image, name } = service;
  if (image.kind === 'service') {
    const root = `${paths.containers}/${image.name}/rootfs`;
    if (system.status(root)?.kind !== 'directory')
      throw new SlipwayError(
        'services.image',
        `the service '${image.name}' of the image has no root file system`,
      );
    return { root };
  }
  const reference = referenceOf(system, service);
  const there = storedImages(store).find(({ references }) => references.includes(reference));
  if (there !== undefined && there.config.architecture === architecture) return there;
  if (image.kind === 'registry') {
    if (network === 'no') return undefined;
    system.log(`services: ${name}: fetching ${service.reference}`);
    return storeImage(store, await openRegistry(store, image, architecture), reference);
  }
  const { path } = image;
  const found = system.status(path);
  if (found?.kind !== 'file') {
    // An archive may go once it was unpacked.
    const before = storedImages(store).find(({ references }) =>
      references.some((one) => one.startsWith(`${path} `)),
    );
    if (before !== undefined) return remember(store, before, reference);
    throw new SlipwayError('oci.not-found', `there is no file ${path}`);
  }
  system.log(`services: ${name}: unpacking ${path}`);
  const packed = `${store.directory}/.archive.tar`;
  try {
    const whole = { path, offset: 0, sizeBytes: found.sizeBytes };
    const limit = { bytes: IMAGE_LIMITS.uncompressedBytes };
    const archive = await uncompressed(system, whole, packed, { guard: store.guard, limit });
    return await storeImage(store, await openArchive(system, archive, architecture, path), reference);
  } finally {
    system.remove(packed);
  }
}

/** How an image is known once it is here. */
function referenceOf(system: System, { image }: CheckedService): string {
  switch (image.kind) {
    case 'service':
      return `service:${image.name}`;
    case 'registry':
      return `${image.host}/${image.repository}${image.digest === undefined ? `:${image.tag ?? 'latest'}` : `@${image.digest}`}`;
    case 'archive': {
      const { sizeBytes = 0, modifiedMs = 0 } = system.status(image.path) ?? {};
      return `${image.path} ${sizeBytes} ${Math.floor(modifiedMs / 1000)}`;
    }
  }
}

function told(error: unknown): { state: 'pending' | 'failed'; reason: string } {
  if (!(error instanceof SlipwayError)) return { state: 'failed', reason: String(error) };
  // Advice for who writes service files of an image would mislead here.
  const hint = error.hint === undefined || error.code.startsWith('bundle.') ? '' : ` (${error.hint})`;
  return {
    state: error.code === 'oci.unreachable' ? 'pending' : 'failed',
    reason: `${error.message}${hint}`,
  };
}

function architectureOf(machine: MachineDescription): Architecture {
  return machine.image.architecture === 'arm64' ? 'arm64' : 'amd64';
}
