/** `bootcmd` and `runcmd`. */
import type { Located } from '../../../spec/located.ts';
import { placeOf, type At, type Command } from '../config.ts';
import { key, type Key } from './key.ts';
import { fault, mismatch, warn } from './reader.ts';
import { either, isNothing, list, text, type Shape } from './shape.ts';

const words = list(text({ numbers: true }));

/** A line for a shell, or a program with its arguments. */
export const command: Shape<Command> = either('shell line, or list of words', {
  // What beginners meet: `- echo "a: b"`.
  map: {
    type: '',
    read: (node, reader) => {
      const hint = "a line with ': ' in it needs quotes around it";
      return mismatch(reader, node, 'a shell line, or a list of words', hint);
    },
  },
  scalar: {
    type: 'shell line',
    read: (node, reader) => {
      const line = text().read(node, reader)?.value;
      return line === undefined ? undefined : { at: placeOf(node.at), secret: true, run: { shell: line } };
    },
  },
  list: {
    type: 'list of words',
    read: (node, reader) => {
      if (node.kind !== 'list') return undefined;
      const said = words.read(node, reader);
      if (said === undefined || said.length !== node.items.length) return undefined;
      if (said.length === 0) return fault(reader, node.at, 'value', 'a command has at least one word');
      return commandOf(node, said);
    },
  },
});

/** Commands one by one; one that is left empty is left out. */
const commands: Shape<readonly Command[]> = {
  type: 'list of shell lines or lists of words',
  read: (node, reader) => {
    if (node.kind !== 'list') return list(command).read(node, reader);
    return node.items.flatMap((item) => {
      if (!isNothing(item)) return command.read(item, reader) ?? [];
      warn(reader, item.at, 'empty', 'an empty command');
      return [];
    });
  },
};

export const COMMAND_KEYS: readonly Key[] = [
  key(
    { name: 'bootcmd', group: 'A', applied: 'every boot', right: 'scripts', unquoted: true },
    commands,
    (draft, value) => {
      draft.bootCommands = value;
    },
  ),
  key(
    { name: 'runcmd', group: 'A', applied: 'once', right: 'scripts', unquoted: true },
    commands,
    (draft, value) => {
      draft.runCommands = value;
    },
  ),
];

export function commandOf(node: Located, argv: readonly At<string>[]): Command {
  return { at: placeOf(node.at), secret: true, run: { argv: argv.map(({ value }) => value) } };
}
