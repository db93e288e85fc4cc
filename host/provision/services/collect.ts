/** What no service needs any more goes from the state partition: bundles, then images that no bundle is left of. */
import { dirname } from '../../../spec/posix-path.ts';
import { removeTree } from './image/layer.ts';
import { storedImages, type ImageStore } from './image/store.ts';
import type { ServicePaths } from './request.ts';

export interface Wanted {
  /** Paths of bundles. */
  readonly bundles: ReadonlySet<string>;
  /** Names of services all of whose bundles stay. */
  readonly names: ReadonlySet<string>;
  /** References of images that are wanted although no bundle has them yet. */
  readonly references: ReadonlySet<string>;
}

export function collect(store: ImageStore, paths: ServicePaths, wanted: Wanted): void {
  const { system, directory } = store;
  const roots = new Set<string>();
  for (const name of system.list(paths.bundles)) {
    for (const digest of system.list(`${paths.bundles}/${name}`)) {
      const bundle = `${paths.bundles}/${name}/${digest}`;
      const target = system.readLink(`${bundle}/rootfs`);
      if (wanted.names.has(name) || wanted.bundles.has(bundle)) roots.add(dirname(target ?? ''));
      else removeTree(system, bundle);
    }
    // Only where it is empty.
    system.remove(`${paths.bundles}/${name}`);
  }
  const stored = storedImages(store);
  const kept = stored.filter(
    ({ root, references }) =>
      roots.has(dirname(root)) || references.some((reference) => wanted.references.has(reference)),
  );
  const names = new Set(['.blobs', ...kept.map(({ id }) => id.slice('sha256:'.length))]);
  for (const name of system.list(directory)) if (!names.has(name)) removeTree(system, `${directory}/${name}`);
}
