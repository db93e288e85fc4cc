/**
 * What was done once, for an instance or for ever, on the state partition. Written before it is begun and after it has ended, so that what a
 * power cut interrupted is known as such.
 */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { readBounded, writeDurable } from '../store/durable.ts';

export type Mark = { readonly state: 'begun' } | { readonly state: 'ended'; readonly code: number };

export interface Marks {
  readonly get: (name: string) => Mark | undefined;
  /** Throws when it cannot be kept: then nothing is begun. */
  readonly set: (name: string, mark: Mark) => Promise<void>;
}

const DIRECTORY = `${PROVISIONING_PATHS.state}/once`;

/** `owner`: an instance's id, or `machine`. */
export function marksOf(system: System, owner: string): Marks {
  const directory = `${DIRECTORY}/${fileName(owner)}`;
  return {
    get: (name) => {
      const bytes = readBounded(system, `${directory}/${fileName(name)}`, 64);
      const [, code] = /^ended (\d{1,3})\n$/.exec(bytes === undefined ? '' : system.decode(bytes)) ?? [];
      if (code !== undefined) return { state: 'ended', code: Number(code) };
      // Whatever else stands there: something was begun.
      return bytes === undefined ? undefined : { state: 'begun' };
    },
    set: async (name, mark) => {
      const text = mark.state === 'ended' ? `ended ${mark.code}\n` : 'begun\n';
      await writeDurable(system, DIRECTORY, []);
      await writeDurable(system, directory, [{ name: fileName(name), bytes: system.encode(text) }]);
    },
  };
}

/** Names are others' words: what is no plain letter is written as its number. Long ones keep their ends apart. */
function fileName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
  if (plain.length <= 120) return plain === '' ? '%' : plain;
  let hash = 0;
  for (let index = 0; index < plain.length; index += 1) hash = (hash * 31 + plain.charCodeAt(index)) >>> 0;
  return `${plain.slice(0, 100)}%${hash.toString(16)}%${plain.length}`;
}
