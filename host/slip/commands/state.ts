import type { StateStatus } from '../../../spec/machine.ts';
import { formatBytes, formatTable } from '../../../system/format.ts';
import type { System } from '../../../system/system.ts';
import { ERASE_STATE, RECOVERY_KEY, type Request } from '../../control/protocol.ts';
import { ask } from '../client.ts';
import type { Command } from '../command.ts';
import { fail, print, usage, type OutputFormat } from '../output.ts';
import { askSecret } from '../secret.ts';

export const stateCommand: Command = {
  name: 'state',
  synopsis: 'show | unlock [--enrol] | reset --erase yes-erase-all-data',
  summary:
    'the state partition, which holds all that this machine keeps; opens it by its recovery key; makes it anew when it cannot be used',
  details: `unlock is for a machine that says that its TPM does not open its state partition. It asks for the recovery key, which the console showed
once, and opens the partition in /run/slipway/state until the machine starts again. With --enrol it seals the partition to the TPM as the
machine is now, and reboots: from then on it opens by itself again.

reset is for a machine that says that its state partition cannot be mounted or opened. It writes an empty file system over it and reboots:
logs, volumes, host keys, host id and records of updates are lost. Nothing else ever formats it.`,
  flags: [
    { name: 'erase', value: true, help: `has to be ${ERASE_STATE}` },
    { name: 'enrol', value: false, help: 'unlock: seal it to the TPM anew' },
  ],
  json: true,
  words: [1, 1],
  run: (system, parsed, format) => {
    const hint = 'see: slip state --help';
    const [what] = parsed.words;
    const erase = parsed.flags.get('erase');
    const enrol = parsed.flags.has('enrol');
    if (what !== 'show' && what !== 'unlock' && what !== 'reset')
      return usage(system, `state: ${what} is no such thing`, hint);
    if (what !== 'reset' && erase !== undefined) return usage(system, `state ${what} erases nothing`, hint);
    if (what !== 'unlock' && enrol) return usage(system, `state ${what} enrols nothing`, hint);
    if (what === 'show') return request(system, format, { kind: 'state' });
    if (what === 'unlock') return unlock(system, format, enrol);
    if (erase !== ERASE_STATE)
      return usage(
        system,
        'state reset erases all that this machine keeps',
        `say so: slip state reset --erase ${ERASE_STATE}`,
      );
    request(system, format, { kind: 'state-reset', erase: ERASE_STATE });
  },
};

function request(system: System, format: OutputFormat, what: Request): void {
  ask(system, what, [], {
    reply: (reply) => {
      if (reply.type === 'state')
        print(system, format === 'json' ? JSON.stringify(reply.state) : describeState(reply.state));
      else if (reply.type === 'done')
        print(system, format === 'json' ? JSON.stringify({ message: reply.message }) : reply.message);
      else return;
      system.exit(0);
    },
    failed: (failure) => fail(system, failure, format),
  });
}

function unlock(system: System, format: OutputFormat, enrol: boolean): void {
  askSecret(system, 'Recovery key: ', (typed) => {
    const recoveryKey = typed.trim().toLowerCase();
    if (RECOVERY_KEY.test(recoveryKey))
      return request(system, format, { kind: 'state-unlock', recoveryKey, enrol });
    const message = 'that is no recovery key';
    fail(
      system,
      { code: 'state.no-key', message, hint: 'eight groups of eight letters, with - between' },
      format,
    );
  });
}

/** The page that `slip state show` prints. */
export function describeState(state: StateStatus): string {
  const rows = [
    ['device', state.device === null ? 'none' : `${state.device}, ${formatBytes(state.sizeBytes)}`],
    ['encryption', ENCRYPTION[state.encryption]],
    ['/var', state.mounted],
    ['problem', state.problem ?? 'none'],
    ...state.check.map((line, index) => [index === 0 ? 'e2fsck' : '', line]),
  ];
  if (state.problem === null || state.device === null) return formatTable(rows);
  const remedies = [
    'This boot keeps nothing.',
    ...(state.encryption === 'locked'
      ? ['With the recovery key, for this boot: slip state unlock; for good: slip state unlock --enrol.']
      : []),
    `To give up what is on ${state.device}: slip state reset --erase ${ERASE_STATE}`,
  ];
  return `${formatTable(rows)}\n\n${remedies.join(' ')}`;
}

const ENCRYPTION: Readonly<Record<StateStatus['encryption'], string>> = {
  none: 'none',
  tpm2: 'LUKS2, opened by the TPM',
  locked: 'LUKS2, not opened',
};
