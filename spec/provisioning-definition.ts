/** What no single key of `provisioning:` can tell: keys that need each other, and the file that one of them names. */
import type { ImageProvisioning } from './image.ts';
import { faultAt, positionAt, type Located } from './located.ts';
import { provisioningPolicy, type ProvisioningInput } from './provisioning-schema.ts';
import { pathFrom, readInput, type Reading } from './reading.ts';

/** `settings`: the merged image definition, for places of faults. `debug`: scripts are heard by default. */
export async function defineProvisioning(
  reading: Reading,
  settings: Located,
  input: ProvisioningInput,
  debug: boolean,
): Promise<ImageProvisioning> {
  const fault = (key: string, message: string, hint: string): void => {
    const at = positionAt(settings, ['provisioning', key]);
    reading.diagnostics.push(faultAt(at, 'image.provisioning', message, hint));
  };
  const policy = provisioningPolicy(input, debug);
  const { platform } = input;
  if (platform !== 'auto' && policy.sources[platform] === undefined)
    fault('platform', `${platform} is asked, but not heard`, `add ${platform} to \`sources\``);
  const packages = hostPackages(settings);
  const warn = (keys: readonly string[], message: string, hint: string): void =>
    void reading.diagnostics.push(
      faultAt(
        positionAt(settings, ['provisioning', ...keys]),
        'image.provisioning',
        message,
        hint,
        'warning',
      ),
    );
  if ((platform === 'vmware' || input.sources?.vmware !== undefined) && !packages.includes('open-vm-tools'))
    warn(
      platform === 'vmware' ? ['platform'] : ['sources', 'vmware'],
      'guestinfo cannot be read: the image has no vmware-rpctool',
      'add to `host.packages`: { name: open-vm-tools, files: [/usr/bin/vmware-rpctool] }',
    );
  if (input.user_data === undefined) return { policy };
  if (policy.sources['built-in'] === undefined)
    fault('user_data', 'what is built in is not heard', 'add built-in to `sources`');
  const at = positionAt(settings, ['provisioning', 'user_data']);
  const userDataFile = pathFrom(at, input.user_data).path;
  const content = await readInput(reading, userDataFile, at);
  // Only what is written there for sure: a comment may name an address, too.
  const text =
    content === undefined || typeof content === 'string' ? content : new TextDecoder().decode(content);
  const asks = text !== undefined && /^[^#\n]*https:\/\//m.test(text);
  if (asks && !packages.includes('curl'))
    warn(
      ['user_data'],
      'it names https addresses, and the image has no curl to ask them',
      'add to `host.packages`: curl, ca-certificates',
    );
  return { policy, userDataFile };
}

/** By name, whatever else is said of them. */
function hostPackages(settings: Located): readonly string[] {
  const packages = childOf(childOf(settings, 'host'), 'packages');
  if (packages?.kind !== 'list') return [];
  return packages.items.flatMap((item) => {
    const name = item.kind === 'map' ? childOf(item, 'name') : item;
    return name?.kind === 'scalar' && typeof name.value === 'string' ? [name.value] : [];
  });
}

function childOf(node: Located | undefined, key: string): Located | undefined {
  return node?.kind === 'map' ? node.entries.get(key)?.value : undefined;
}
