/** What a command of `slip update` is. One file each under commands/, listed in update.ts. */
import type { Flag, Parsed } from '../../system/arguments.ts';
import type { Context } from './context.ts';

export interface Command {
  readonly name: string;
  /** What follows the name, for the help. */
  readonly synopsis: string;
  readonly summary: string;
  /** More help, after the options. */
  readonly details?: string;
  /** Beside `--help` and `--json`, which every command has. */
  readonly flags: readonly (Flag & { readonly help: string })[];
  /** At least and at most so many words. */
  readonly words: readonly [number, number];
  /** It is for slipd and not in the help. */
  readonly hidden?: boolean;
  /** Returns the exit code. Throws SlipwayError. */
  readonly run: (context: Context, parsed: Parsed) => Promise<number>;
}
