/**
 * A service's bundle on the state partition: `config.json`, `rootfs` (a link to the root file system, which is never changed) and `additions/`:
 * mount points, links of /etc, files of `x-slipway.files`. The machine lays the additions over the root (host/slipd/monitor.ts). Its directory
 * has the digest of all that as its name, so that another configuration is another bundle, and the one before is there as long as it is needed.
 */
import { makeBundle, type Bundle } from '../../../oci/bundle.ts';
import { configText } from '../../../oci/config-text.ts';
import { filterName } from '../../../oci/seccomp/default-profile.ts';
import type { ImageConfig } from '../../../oci/image-config.ts';
import type { RootPlace, RootView } from '../../../oci/root-view.ts';
import type { FileEntry } from '../../../spec/image.ts';
import type { Architecture } from '../../../spec/image.ts';
import { basename, dirname, join } from '../../../spec/posix-path.ts';
import type { System } from '../../../system/system.ts';
import type { CheckedService } from './check.ts';
import { attributeSetter, demand, umaskOf, type Attributes } from './image/attributes.ts';
import { digestOf } from './image/bytes.ts';
import { removeTree } from './image/layer.ts';
import { placeIn, rootDirectory } from './image/root-directory.ts';
import { emptyWork, type ImageStore } from './image/store.ts';
import type { ProvisionedService, ServicePaths } from './request.ts';

export interface BundleRoot {
  /** The root file system on the machine. */
  readonly root: string;
  /** Of an OCI image. */
  readonly config?: ImageConfig;
}

/** To be raised with every change of what a bundle is made of. */
const BUNDLE_VERSION = 1;

/** Throws SlipwayError `bundle.*` for what can only be known with the root file system at hand. */
export async function writeBundle(
  store: ImageStore,
  paths: ServicePaths,
  { name, definition }: CheckedService,
  { root, config: image }: BundleRoot,
  architecture: Architecture,
): Promise<ProvisionedService> {
  const { system, guard } = store;
  const files = definition.files.map((file) => ({ ...file, path: realPath(system, root, file.path) }));
  const view = rootDirectory(system, root, files.map(asPlace));
  const bundle = makeBundle(definition, {
    architecture,
    root: view,
    rootPath: `${paths.overlays}/${name}/rootfs`,
    hostPathType: (path) => {
      const kind = system.status(path)?.kind;
      return kind === undefined ? undefined : kind === 'directory' ? 'directory' : 'file';
    },
    defaultFilter: (capabilities) => system.readText(`${paths.filters}/${filterName(capabilities)}`)?.trim(),
    ...(image === undefined ? {} : { image }),
  });
  const text = configText(bundle.config);
  const work = emptyWork(store);
  try {
    const identity = `${work}/identity`;
    const parts = {
      version: BUNDLE_VERSION,
      text,
      machine: bundle.machine,
      additions: bundle.rootAdditions,
      files,
      root,
    };
    system.writeText(identity, JSON.stringify(parts), 0o600);
    const sizeBytes = system.status(identity)?.sizeBytes ?? 0;
    const digest = await digestOf(system, { path: identity, offset: 0, sizeBytes });
    const final = `${paths.bundles}/${name}/${digest.slice('sha256:'.length, 'sha256:'.length + 32)}`;
    // Made anew where it is not what it should be: it was cut off, or the state partition is not ours alone.
    const whole =
      system.readText(`${final}/config.json`) === text && system.readLink(`${final}/rootfs`) === root;
    if (!whole) {
      await writeParts(system, `${work}/bundle`, {
        text,
        root,
        bundle,
        files,
        view,
        umask: umaskOf(system, work),
      });
      await demand(system, ['busybox', 'sync', '-f', work]);
      removeTree(system, final);
      if (!system.makeDirectory(dirname(final), 0o700) || !system.rename(`${work}/bundle`, final))
        throw guard.failed(final);
      await demand(system, ['busybox', 'sync', dirname(final)]);
    }
    return { ...bundle.machine, bundle: final };
  } finally {
    removeTree(system, work);
  }
}

async function writeParts(
  system: System,
  directory: string,
  parts: {
    readonly text: string;
    readonly root: string;
    readonly bundle: Bundle;
    readonly files: readonly FileEntry[];
    readonly view: RootView;
    readonly umask: number;
  },
): Promise<void> {
  const { text, root, bundle, files, view, umask } = parts;
  const additions = `${directory}/additions`;
  const attributes = attributeSetter(system, umask);
  const made = new Set(['/']);
  const NEW: Attributes = { uid: 0, gid: 0, mode: 0o755 };
  const directoryAt = async (path: string): Promise<void> => {
    if (made.has(path)) return;
    await directoryAt(dirname(path));
    made.add(path);
    // Laid over the root's own, its owner and mode are those that count.
    const below = view.resolve(path);
    const wanted = below?.type === 'directory' ? below : NEW;
    system.makeDirectory(additions + path, wanted.mode & 0o777);
    await attributes.set(additions + path, wanted, 'made');
  };
  const top = view.resolve('/') ?? NEW;
  system.makeDirectory(additions, top.mode & 0o777);
  await attributes.set(additions, top, 'made');
  for (const addition of bundle.rootAdditions) {
    await directoryAt(addition.type === 'directory' ? addition.path : dirname(addition.path));
    if (addition.type === 'symlink') system.makeLink(addition.target, additions + addition.path);
    if (addition.type === 'file') system.writeText(additions + addition.path, '', 0o644);
  }
  for (const { path, content = '', uid, gid, mode } of files) {
    await directoryAt(dirname(path));
    system.remove(additions + path);
    system.writeText(additions + path, content, mode & 0o777);
    await attributes.set(additions + path, { uid, gid, mode }, 'made');
  }
  await attributes.flush();
  system.makeLink(root, `${directory}/rootfs`);
  system.writeText(`${directory}/config.json`, text, 0o600);
}

/** Where a path leads in the root, as far as it is there. */
function realPath(system: System, root: string, path: string): string {
  const parent = placeIn(system, root, dirname(path), { last: 'follow' });
  return parent === undefined ? path : join(parent.path, basename(path));
}

function asPlace({ path, mode, uid, gid }: FileEntry): RootPlace {
  return { type: 'file', path, mode, uid, gid };
}
