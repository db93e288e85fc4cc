/** `services:` as the reader of documents hands it over. */
import type { ServiceEntry } from '../../../../host/provision/config.ts';
import { parseYaml } from '../../../../spec/yaml.ts';

export function entries(yaml: string): readonly ServiceEntry[] {
  const { root, diagnostics } = parseYaml(
    '/user-data',
    'user-data',
    `services:\n${yaml.replace(/^/gm, '  ')}`,
  );
  if (root?.kind !== 'map') throw new Error(JSON.stringify(diagnostics));
  const services = root.entries.get('services')?.value;
  if (services?.kind !== 'map') throw new Error('no services');
  return [...services.entries].map(([name, { keyAt, value }]) => ({
    name: { value: name, at: { part: 'user-data', line: keyAt.line, column: keyAt.column } },
    keyAt,
    node: value,
  }));
}
