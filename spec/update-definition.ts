/** What no single key of `update:` can tell: keys that need or exclude each other, and the file that one of them names. */
import { faultAt, positionAt, type Located } from './located.ts';
import { pathFrom, readInput, type Reading } from './reading.ts';
import { updateSettings, type UpdateInput } from './update-schema.ts';
import { UPDATE_PATHS, type ImageUpdate } from './update.ts';

/** `settings`: the merged image definition, for places of faults. */
export async function defineUpdate(
  reading: Reading,
  settings: Located,
  input: UpdateInput,
): Promise<ImageUpdate> {
  const fault = (key: string, message: string, hint: string): void => {
    const at = positionAt(settings, ['update', key]);
    reading.diagnostics.push(faultAt(at, 'image.update', message, hint));
  };
  if (input.reboot === 'window' && input.windows.length === 0)
    fault('reboot', 'there are no windows to wait for', 'add `windows`, or choose auto or manual');
  if (input.reboot !== undefined && input.reboot !== 'window' && input.windows.length > 0)
    fault('windows', `reboot: ${input.reboot} never looks at windows`, 'remove one of the two');
  if (input.url === undefined)
    for (const key of ['mirrors', 'proxy', 'ca', 'bandwidth_limit'] as const)
      if (input[key] !== undefined && JSON.stringify(input[key]) !== '[]')
        fault(key, `without 'url' there is nothing to fetch`, 'add `url`');
  if (input.ca === undefined) return { settings: updateSettings(input, null) };
  const at = positionAt(settings, ['update', 'ca']);
  const caFile = pathFrom(at, input.ca).path;
  const certificates = await readInput(reading, caFile, at);
  if (certificates !== undefined && !textOf(certificates).includes('-----BEGIN CERTIFICATE-----'))
    fault('ca', `${caFile} holds no certificate`, 'certificates in PEM form are wanted');
  return { settings: updateSettings(input, UPDATE_PATHS.ca), caFile };
}

function textOf(content: Uint8Array | string): string {
  return typeof content === 'string' ? content : new TextDecoder().decode(content);
}
