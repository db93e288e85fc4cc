/** What the machine's programs use zod for, on plain values: imported with npm's zod, and bundled with what stands in for it. */
import { parseImageConfig, parseIndexOrManifest } from '../../../../oci/manifest.ts';
import { normaliseService } from '../../../../spec/compose-forms.ts';
import type { Diagnostic } from '../../../../spec/diagnostic.ts';
import { serviceSchema } from '../../../../spec/service-schema.ts';
import { parseShape } from '../../../../spec/shape.ts';
import { parseYaml } from '../../../../spec/yaml.ts';

/** Value and diagnostics of one service. */
export function serviceOutcome(yaml: string): string {
  const diagnostics: Diagnostic[] = [];
  const { root } = parseYaml('/f', 'f', yaml);
  if (root?.kind !== 'map') return 'no mapping';
  const service = normaliseService(root, diagnostics);
  return JSON.stringify([parseShape(serviceSchema, service), parseShape(serviceSchema, root)]);
}

export function manifestOutcome(json: string): string {
  return [() => parseIndexOrManifest(json, 'x'), () => parseImageConfig(json, 'x')]
    .map((read) => {
      try {
        return JSON.stringify(read());
      } catch (error) {
        return String(error);
      }
    })
    .join('\n');
}
