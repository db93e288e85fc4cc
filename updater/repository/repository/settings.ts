/** `.slipway/repository.json`: for how long what is signed stays valid, and how much is kept. Lost, the defaults hold. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomic } from '../../../builder/cache/directory.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { bookkeepingPath } from './layout.ts';

const days = z.number().positive().max(3650);

const Settings = z.strictObject({
  format: z.literal('1.0'),
  validDays: z
    .strictObject({
      /** Signed offline, so rarely. */
      targets: days.default(365),
      rollout: days.default(14),
      snapshot: days.default(14),
      /** For so long a machine can be kept on an old state of the repository by who stands between. */
      timestamp: days.default(7),
    })
    .prefault({}),
});

export type Settings = Readonly<z.infer<typeof Settings>>;

export const DEFAULT_SETTINGS: Settings = Settings.parse({ format: '1.0' });

export async function readSettings(directory: string): Promise<Settings> {
  const path = bookkeepingPath(directory, 'repository.json');
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return DEFAULT_SETTINGS;
  try {
    return Settings.parse(JSON.parse(text));
  } catch (cause) {
    const faults =
      cause instanceof z.ZodError
        ? cause.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')
        : 'it is not JSON';
    throw new SlipwayError('repository.settings', `${path}: ${faults}`, { cause });
  }
}

export async function writeSettings(directory: string, settings: Settings): Promise<void> {
  await writeFileAtomic(
    bookkeepingPath(directory, 'repository.json'),
    `${JSON.stringify(Settings.parse(settings), undefined, 2)}\n`,
  );
}
