/** Which releases a command means: a version, and image and architecture where a repository holds several. */
import type { Command } from 'commander';
import type { ReleaseChoice } from '../updater/repository/release/read.ts';

export interface ChoiceFlags {
  readonly image?: string;
  readonly architecture?: string;
}

export function withChoice(command: Command): Command {
  return command
    .option('--image <name>', 'of this image only')
    .option('--architecture <name>', 'for this architecture only');
}

export function choiceOf(version: string, { image, architecture }: ChoiceFlags): ReleaseChoice {
  return {
    version,
    ...(image === undefined ? {} : { image }),
    ...(architecture === undefined ? {} : { architecture }),
  };
}
