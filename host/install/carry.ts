/** What this machine was told on the medium, the new system is told, too: NoCloud's seed directory on its state. */
import { PROVISIONING_PATHS } from '../../spec/provisioning.ts';
import { SlipwayError } from '../../spec/error.ts';
import type { System } from '../../system/system.ts';

const DOCUMENTS = ['user-data', 'meta-data', 'vendor-data', 'network-config'];

/** `folder`: where the new state is mounted, which is /var of the new system. */
export function carryConfiguration(system: System, folder: string): Promise<void> {
  const seed = `${folder}${PROVISIONING_PATHS.seed.replace(/^\/var/, '')}`;
  const found = DOCUMENTS.flatMap((name) => {
    const text =
      system.readText(`${PROVISIONING_PATHS.state}/${name}`) ??
      system.readText(`${PROVISIONING_PATHS.seed}/${name}`);
    return text === undefined ? [] : [{ name, text }];
  });
  if (found.length === 0) return Promise.resolve();
  if (!system.makeDirectory(seed, 0o700))
    return Promise.reject(
      new SlipwayError('install.carry', 'the configuration cannot be written into the new state'),
    );
  for (const { name, text } of found) system.writeText(`${seed}/${name}`, text, 0o600);
  return Promise.resolve();
}
