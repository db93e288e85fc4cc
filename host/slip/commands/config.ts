/** Hands everything to the provisioner, which slipd starts as root, with our streams. Files are ours to open, not its. */
import type { System } from '../../../system/system.ts';
import type { Command } from '../command.ts';
import { fail, usage, type OutputFormat } from '../output.ts';
import { runOnStreams, terminalOf } from '../session.ts';

const WITH_FILE = ['validate', 'apply'];
const ACTIONS = ['status', ...WITH_FILE, 'confirm', 'reset'];
/** A request holds it in hexadecimal digits. */
const NETWORK_LIMIT_BYTES = 24 * 1024;

export const configCommand: Command = {
  name: 'config',
  synopsis: 'status | validate FILE | apply FILE | confirm | reset',
  summary: 'what this machine was told to be: where from, what came of it; checks and applies another',
  details: `FILE is a cloud-config document, - for standard input.

status    source, digest, and each key: applied, ignored, failed, refused or pending, with its line
validate  says what is wrong with FILE, and applies nothing
apply     makes FILE this machine's configuration, in place of what its source says
confirm   keeps what \`apply --try\` tries
reset     forgets the adopted configuration; at the next boot the machine hears any source again`,
  flags: [
    { name: 'try', value: true, help: 'apply: minutes after which the old one returns, unless confirmed' },
    { name: 'network', value: true, help: 'validate, apply: a file with the network configuration' },
  ],
  json: true,
  words: [1, 2],
  run: (system, { words, flags }, format) => {
    const [action = '', file] = words;
    const hint = 'see: slip config --help';
    if (!ACTIONS.includes(action)) return usage(system, `config: ${action} is no such thing`, hint);
    const withFile = WITH_FILE.includes(action);
    if (withFile !== (file !== undefined))
      return usage(system, `config ${action} ${withFile ? 'needs' : 'takes no'} FILE`, hint);
    const minutes = flags.get('try');
    if (minutes !== undefined && (action !== 'apply' || !/^[1-9]\d{0,3}$/.test(minutes)))
      return usage(system, '--try needs a number of minutes, and belongs to apply', hint);
    const network = flags.get('network');
    if (network !== undefined && !withFile) return usage(system, '--network belongs to a FILE', hint);
    const command = [
      action,
      ...(format === 'json' ? ['--json'] : []),
      ...(minutes === undefined ? [] : ['--try', minutes]),
      ...(network === undefined ? [] : ['--network', networkWord(system, network, format)]),
    ];
    const { termType } = terminalOf(system, 'never');
    const input =
      file === undefined ? 'none' : file === '-' ? 'forward' : { fd: openFile(system, file, format) };
    runOnStreams(system, { kind: 'config', command, terminal: null, termType }, input);
  },
};

function openFile(system: System, file: string, format: OutputFormat): number {
  const fd = system.open(file, { access: 'read' });
  if (fd >= 0 && system.descriptorStatus(fd)?.kind !== 'directory') return fd;
  return fail(system, { code: 'config.no-file', message: `cannot read ${file}`, hint: null }, format);
}

function networkWord(system: System, file: string, format: OutputFormat): string {
  const fd = openFile(system, file, format);
  const bytes = system.readAt(fd, 0, NETWORK_LIMIT_BYTES + 1);
  system.close(fd);
  if (bytes !== 'failed' && bytes.length <= NETWORK_LIMIT_BYTES)
    return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const message = `${file} is no network configuration of at most ${NETWORK_LIMIT_BYTES / 1024} kB`;
  return fail(system, { code: 'config.network-file', message, hint: null }, format);
}
