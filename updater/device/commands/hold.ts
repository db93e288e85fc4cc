/** `hold`, `unhold`: versions that an operator of this machine does not want. */
import { SlipwayError } from '../../../spec/error.ts';
import { isImageVersion } from '../../../spec/version.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { followSoon } from '../follow-memory.ts';
import { readOperatorFile, writeOperatorFile } from '../operator-file.ts';

const EVERY = '*';

export const holdCommand: Command = {
  name: 'hold',
  synopsis: '[VERSION]',
  summary: 'does not take a version by itself; without one: none at all',
  flags: [],
  words: [0, 1],
  run: async (context, { words }) => {
    const version = checked(words[0]);
    await change(context, (holds) => [...holds.filter((held) => held !== version), version]);
    const text = version === EVERY ? 'no newer version is taken any more' : `${version} is held`;
    context.output.result(text, { holds: readOperatorFile(context.system).holds });
    return 0;
  },
};

export const unholdCommand: Command = {
  name: 'unhold',
  synopsis: '[VERSION]',
  summary: 'takes back a hold; without a version: all of them',
  flags: [],
  words: [0, 1],
  run: async (context, { words }) => {
    const version = checked(words[0]);
    if (version !== EVERY && !context.holds.includes(version))
      throw new SlipwayError('update.not-held', `${version} is not held`, {
        hint: context.holds.length === 0 ? 'nothing is' : `these are: ${context.holds.join(', ')}`,
      });
    await change(context, (holds) => (version === EVERY ? [] : holds.filter((held) => held !== version)));
    const { holds } = readOperatorFile(context.system);
    context.output.result(holds.length === 0 ? 'nothing is held' : `held: ${holds.join(', ')}`, { holds });
    return 0;
  },
};

function checked(word: string | undefined): string {
  if (word === undefined || isImageVersion(word)) return word ?? EVERY;
  throw new SlipwayError('update.no-version', `'${word}' is no version`);
}

async function change(
  { system }: Context,
  changed: (holds: readonly string[]) => readonly string[],
): Promise<void> {
  const file = readOperatorFile(system);
  await writeOperatorFile(system, { ...file, holds: changed(file.holds) });
  followSoon(system);
}
