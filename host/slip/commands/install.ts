/** Hands everything to the installer, which slipd starts as root, with our streams. */
import type { Command } from '../command.ts';
import { usage } from '../output.ts';
import { runOnStreams, terminalOf } from '../session.ts';

export const installCommand: Command = {
  name: 'install',
  synopsis: 'DISK',
  summary: 'on a live medium: writes this system, and its configuration, to a disk of the machine',
  details: `DISK is /dev/sda, serial:S123, size:480GB, smallest, or largest. What is written is read back. A disk that holds anything is refused, unless
--overwrite wipe says that all of it may go; --dry-run tells what would be done. Interrupted, it is run again.`,
  flags: [
    { name: 'overwrite', value: true, help: 'wipe: whatever the disk holds may go' },
    { name: 'dry-run', value: false, help: 'look, and tell what would be done' },
  ],
  json: true,
  words: [1, 1],
  run: (system, { words, flags }, format) => {
    const overwrite = flags.get('overwrite');
    const hint = 'see: slip install --help';
    if (overwrite !== undefined && overwrite !== 'wipe') return usage(system, '--overwrite knows wipe', hint);
    const command = [
      ...(format === 'json' ? ['--json'] : []),
      ...(flags.has('dry-run') ? ['--dry-run'] : []),
      ...(overwrite === undefined ? [] : ['--overwrite', 'wipe']),
      words[0]!,
    ];
    const { termType } = terminalOf(system, 'never');
    runOnStreams(system, { kind: 'install', command, terminal: null, termType }, 'none');
  },
};
