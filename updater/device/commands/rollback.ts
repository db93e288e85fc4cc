/** `rollback`: back to the version from before. Needs no network, and no free byte. */
import type { Command } from '../command.ts';
import { addHistory } from '../history.ts';
import { withUpdateLock } from '../lock.ts';

export const rollbackCommand: Command = {
  name: 'rollback',
  synopsis: '[--reason TEXT] [--no-reboot]',
  summary: 'returns to the version from before, and does not take this one again by itself',
  flags: [
    { name: 'reason', value: true, help: 'is remembered' },
    { name: 'no-reboot', value: false, help: 'leaves the restart to you' },
  ],
  words: [0, 0],
  run: (context, parsed) =>
    withUpdateLock(context.system, async () => {
      const { system, parts, output, running } = context;
      const reason = parsed.flags.get('reason') ?? 'rolled back by an operator';
      const version = await parts.rollback(system, reason);
      const at = Math.floor(system.wallClockMs() / 1000);
      addHistory(system, { at, event: 'rolled-back', version: running.version, detail: reason });
      const stay = parsed.flags.has('no-reboot');
      output.result(stay ? `the next start of the machine is ${version}` : `restarting into ${version}`, {
        outcome: 'rolled-back',
        from: running.version,
        version,
        reboot: !stay,
      });
      if (!stay) parts.reboot(system);
      return 0;
    }),
};
