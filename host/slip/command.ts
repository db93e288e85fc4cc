/** What a subcommand is. One file each under commands/, listed in main.ts. */
import type { System } from '../../system/system.ts';
import type { Flag, Parsed } from '../../system/arguments.ts';
import type { OutputFormat } from './output.ts';

export interface Command {
  readonly name: string;
  /** What follows the name, for the help. */
  readonly synopsis: string;
  readonly summary: string;
  /** More help, after the options. */
  readonly details?: string;
  /** Beside `--help` and, where `json` is set, `--json`. */
  readonly flags: readonly (Flag & { readonly help: string })[];
  readonly json: boolean;
  /** At least and at most so many words. */
  readonly words: readonly [number, number];
  /** From this word on, everything belongs to another command. */
  readonly stopAtWord?: number;
  run(system: System, parsed: Parsed, format: OutputFormat): void;
}
