/** `finish`: what follows a commit, now. By itself at each start (switch/pending.ts). */
import type { Command } from '../command.ts';
import { withUpdateLock } from '../lock.ts';
import { isStateEncrypted } from '../switch/machine-facts.ts';

const FLAG = 'recovery-key-at-hand';
const SEALED = 'at its next start the TPM will not open the state partition: slip state unlock --enrol';

export const finishCommand: Command = {
  name: 'finish',
  synopsis: `[--${FLAG}]`,
  summary: 'does what is left to be done after an update: boot loader, keys of the firmware',
  details:
    'By itself at each start. Where state is encrypted, keys of the firmware are left as they are, since its TPM would not open it any more; whoever can type the recovery key after the next start may say so.',
  flags: [{ name: FLAG, value: false, help: 'change keys of the firmware although state is encrypted' }],
  words: [0, 0],
  run: ({ system, parts, output }, parsed) =>
    withUpdateLock(system, async () => {
      const isSealed = parsed.flags.has(FLAG) && isStateEncrypted(system);
      const after = await parts.finishUpdate(system, isSealed ? 'recovery-key-at-hand' : 'leave');
      const lines = after.map(({ what, state, why }) => `${what}, ${state}: ${why}`);
      output.result(
        [
          ...(lines.length === 0 ? ['nothing is left to be done'] : lines),
          ...(isSealed ? [SEALED] : []),
        ].join('\n'),
        { after, sealed: isSealed },
      );
      return 0;
    }),
};
