/** One configuration out of three: the image's, then what provisioning said, then what operators said on the machine. */
import { own } from '../../../spec/own.ts';
import type { UpdateSettings } from '../../../spec/update.ts';
import { SETTINGS } from './settings.ts';

export type Source = 'image' | 'provisioning' | 'command';

/** What a file beside the image's says; it may be missing, and nothing in it is believed before it is checked. */
export interface Layer {
  readonly source: Exclude<Source, 'image'>;
  readonly text: string | undefined;
}

export interface Merged {
  readonly settings: UpdateSettings;
  /** By key of `update:`. */
  readonly sources: Readonly<Record<string, Source>>;
  /** What was left out, and why. */
  readonly problems: readonly string[];
}

/** The later of the layers wins, key by key. */
export function mergeSettings(image: UpdateSettings, layers: readonly Layer[]): Merged {
  const settings: Record<string, unknown> = { ...image };
  const sources: Record<string, Source> = Object.fromEntries(
    Object.keys(SETTINGS).map((key) => [key, 'image' as const]),
  );
  const problems: string[] = [];
  for (const { source, text } of layers) {
    if (text === undefined) continue;
    const layer = parseLayer(text);
    if (layer === undefined)
      problems.push(`the settings by ${source} cannot be read: they count for nothing`);
    for (const [key, written] of Object.entries(layer ?? {})) {
      const setting = own(SETTINGS, key);
      const value = setting?.parse(written);
      if (setting === undefined) problems.push(`by ${source}: '${key.slice(0, 40)}' is no setting`);
      else if (value === undefined) problems.push(`by ${source}: ${key} takes ${setting.form}`);
      else [settings[setting.name], sources[key]] = [value, source];
    }
  }
  const merged = settings as unknown as UpdateSettings;
  return { settings: merged, sources, problems: [...problems, ...contradictions(merged)] };
}

/** The texts by key that such a file holds; `undefined` when it is none. */
export function parseLayer(text: string): Readonly<Record<string, string>> | undefined {
  try {
    const file: unknown = JSON.parse(text);
    if (!isRecord(file) || !/^1\.\d{1,6}$/.test(String(file['format']))) return undefined;
    const written = file['settings'];
    if (!isRecord(written)) return undefined;
    const texts = Object.entries(written).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string' && entry[1].length <= 4096,
    );
    return Object.fromEntries(texts);
  } catch {
    return undefined;
  }
}

/** What parseLayer reads. */
export function formatLayer(settings: Readonly<Record<string, string>>): string {
  return `${JSON.stringify({ format: '1.0', settings })}\n`;
}

function contradictions(settings: UpdateSettings): readonly string[] {
  return settings.reboot === 'window' && settings.windows.length === 0
    ? ['reboot is window, but there are no windows: nothing will ever switch by itself']
    : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
