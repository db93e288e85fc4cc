/** What happens behind everything else. */
import { PHONE_HOME_FIELDS, type At, type Command } from '../config.ts';
import { command } from './commands.ts';
import { webAddress } from './files.ts';
import { key, type Key } from './key.ts';
import { at, either, fields, given, integer, list, oneOf, text, truth, type Shape } from './shape.ts';

const post: Shape<At<readonly (typeof PHONE_HOME_FIELDS)[number][]>> = {
  type: `\`all\`, or list of ${PHONE_HOME_FIELDS.map((name) => `\`${name}\``).join(', ')}`,
  read: (node, reader) => {
    if (node.kind === 'scalar') {
      return oneOf(['all']).read(node, reader) === undefined ? undefined : at(node, [...PHONE_HOME_FIELDS]);
    }
    const names = list(oneOf(PHONE_HOME_FIELDS)).read(node, reader);
    return names === undefined
      ? undefined
      : at(
          node,
          names.map(({ value }) => value),
        );
  },
};

const phoneHome = fields(
  {
    url: { shape: webAddress(true), required: true },
    post: { shape: post },
    tries: { shape: integer(1, 1000) },
  },
  { noun: 'phone_home' },
);

/** `now`, `5`, `+5`: minutes. */
const delay: Shape<At<number>> = {
  type: '`now`, or minutes',
  read: (node, reader) => {
    if (node.kind === 'scalar' && node.text === 'now') return at(node, 0);
    const bare = node.kind === 'scalar' ? { ...node, text: node.text.replace(/^\+/, '') } : node;
    return integer(0, 525_600, true).read(bare, reader);
  },
};

const condition = either<At<boolean> | Command>('`true`, `false`, shell line, or list of words', {
  scalar: {
    type: '',
    read: (node, reader) => {
      const said = node.kind === 'scalar' ? truth(node) : undefined;
      return said === undefined ? command.read(node, reader) : at(node, said);
    },
  },
  list: command,
});

const powerState = fields(
  {
    mode: { shape: oneOf(['poweroff', 'reboot', 'halt']), required: true },
    delay: { shape: delay },
    message: { shape: text() },
    timeout: { shape: integer(0, 86_400) },
    condition: { shape: condition },
  },
  { noun: 'power_state' },
);

export const FINISH_KEYS: readonly Key[] = [
  key(
    { name: 'phone_home', group: 'B', applied: 'last', right: 'network', unquoted: true },
    phoneHome,
    (draft, value, _reader, node) => {
      if (value.url === undefined) return;
      draft.phoneHome = {
        at: value.at,
        url: value.url,
        post: value.post ?? at(node, [...PHONE_HOME_FIELDS]),
        tries: value.tries ?? at(node, 10),
      };
    },
  ),
  key({ name: 'final_message', group: 'B', applied: 'last', right: null }, text(), (draft, message) => {
    draft.finalMessage = message;
  }),
  key(
    { name: 'power_state', group: 'B', applied: 'last', right: 'scripts', unquoted: true },
    powerState,
    (draft, value, _reader, node) => {
      if (value.mode === undefined) return;
      draft.powerState = {
        at: value.at,
        mode: value.mode,
        delayMinutes: value.delay ?? at(node, 0),
        timeoutSeconds: value.timeout ?? at(node, 30),
        condition: value.condition ?? at(node, true),
        ...given({ message: value.message }),
      };
    },
  ),
];
