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
  if (input.user_data === undefined) return { policy };
  if (policy.sources['built-in'] === undefined)
    fault('user_data', 'what is built in is not heard', 'add built-in to `sources`');
  const at = positionAt(settings, ['provisioning', 'user_data']);
  const userDataFile = pathFrom(at, input.user_data).path;
  await readInput(reading, userDataFile, at);
  return { policy, userDataFile };
}
