import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseRequest, type Request } from '../../../host/control/protocol.ts';

const session = { terminal: null, termType: 'xterm-256color' };
const requests: readonly Request[] = [
  { kind: 'status' },
  { kind: 'state' },
  { kind: 'state-reset', erase: 'yes-erase-all-data' },
  { kind: 'state-unlock', recoveryKey: Array.from({ length: 8 }, () => 'cbdefghi').join('-'), enrol: true },
  { kind: 'restart', service: 'web' },
  { kind: 'poweroff' },
  {
    kind: 'exec',
    service: 'web',
    command: ['sh', '-c', 'echo "a\nb"'],
    user: '1000:1000',
    ...session,
    terminal: '/dev/pts/3',
  },
  { kind: 'shell', command: [], ...session },
  { kind: 'update', command: ['apply', '--version', '1.1'], ...session },
  { kind: 'logs', service: 'web', follow: true, since: '2026-01-31_12:00:00.00000', tail: 100, json: false },
];

test.each(requests)('$kind comes back as it was sent', (request) => {
  expect(parseRequest(JSON.stringify(request))).toEqual(request);
});

test.each([
  ['no JSON', '{'],
  ['no object', '[]'],
  ['a reset of state without its words', '{"kind":"state-reset"}'],
  ['a reset of state with a mere yes', '{"kind":"state-reset","erase":true}'],
  ['a recovery key that is none', '{"kind":"state-unlock","recoveryKey":"$(reboot)","enrol":false}'],
  [
    'a recovery key of two lines',
    JSON.stringify({
      ...{ kind: 'state-unlock', enrol: false },
      recoveryKey: `${Array.from({ length: 8 }, () => 'cbdefghi').join('-')}\n`,
    }),
  ],
  ['another kind', '{"kind":"format-disk"}'],
  ['a path for a service', '{"kind":"stop","service":"../x"}'],
  ['an option for a service', '{"kind":"stop","service":"--all"}'],
  ['two lines for a service', '{"kind":"stop","service":"a\\nb"}'],
  [
    'a NUL in a word',
    JSON.stringify({ kind: 'exec', service: 'a', command: ['a\0b'], user: null, ...session }),
  ],
  ['no command', JSON.stringify({ kind: 'exec', service: 'a', command: [], user: null, ...session })],
  [
    'a name for a user',
    JSON.stringify({ kind: 'exec', service: 'a', command: ['x'], user: 'root', ...session }),
  ],
  [
    'a path out of /dev',
    JSON.stringify({ kind: 'shell', command: [], ...session, terminal: '/dev/../etc/passwd' }),
  ],
  ['an option as TERM', JSON.stringify({ kind: 'shell', command: [], terminal: null, termType: 'a b' })],
  [
    'a path as a time',
    JSON.stringify({
      kind: 'logs',
      service: 'a',
      follow: false,
      since: '/etc/passwd',
      tail: null,
      json: false,
    }),
  ],
])('%s is no request', (_, text) => {
  expect(parseRequest(text)).toBeUndefined();
});

test('nothing makes it throw', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => void parseRequest(text)));
});
