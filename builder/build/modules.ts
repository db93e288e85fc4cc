/** The kernel modules of an image: what Slipway and the image's definition want of its kernel. */
import type { ImageDefinition } from '../../spec/image.ts';
import { selectModules, type ModuleSet } from '../initrd/modules.ts';
import { wantedModules } from '../initrd/module-choice.ts';
import { hostNeeds } from '../../oci/init.ts';
import type { BuildInputs } from './inputs.ts';

export async function chosenModules(image: ImageDefinition, inputs: BuildInputs): Promise<ModuleSet> {
  const { kernel, toolbox } = inputs;
  // Services of a boot configuration have overlays as their roots (host/provision/services/bundle.ts).
  const rights = Object.values(image.provisioning?.policy.sources ?? {}).flat();
  const overlay = rights.includes('services') ? ['overlay'] : [];
  const modules = [...image.kernel.modules, ...hostNeeds(image.services).modules, ...overlay];
  const entries = kernel.content.entries.flatMap(({ path, type, offset, sizeBytes, sha256 }) =>
    type === 'file' && sha256 !== undefined
      ? [
          {
            path,
            source: { kind: 'path' as const, path: kernel.content.tarPath, offset, sizeBytes, sha256 },
          },
        ]
      : [],
  );
  return selectModules(
    { entries, command: toolbox.command },
    wantedModules({ ...image, kernel: { ...image.kernel, modules } }),
  );
}
