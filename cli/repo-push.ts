/** `slipway repo push`: to where machines fetch it from. */
import { Command, InvalidArgumentError } from 'commander';
import { openTarget, TARGET_FORMS } from '../updater/repository/push/open.ts';
import { pushRepository, type Pushed } from '../updater/repository/push/push.ts';
import { bytesText } from './bytes-text.ts';

interface PushFlags {
  readonly dryRun?: true;
  readonly delete?: true;
  readonly parallel?: number;
  readonly sshConfig?: string;
  readonly json?: true;
}

export function pushCommand(): Command {
  return new Command('push')
    .description(
      'Brings a repository to where machines fetch it from: what is new, in an order in which they see the old state or the new one. Cut off, run it again.',
    )
    .argument('<dir>', 'the repository')
    .argument('<target>', TARGET_FORMS)
    .option('--dry-run', 'only tell what would be sent')
    .option('--delete', 'remove there what garbage collection has removed here')
    .option('--parallel <n>', 'so many uploads at a time', count)
    .option('--ssh-config <file>', 'for sftp: instead of ~/.ssh/config')
    .option('--json', 'print what was sent as JSON')
    .action(async (directory: string, address: string, flags: PushFlags) => {
      const target = await openTarget(address, {
        environment: process.env,
        ...(flags.sshConfig === undefined ? {} : { sshConfigFile: flags.sshConfig }),
      });
      const draw = drawing(process.stderr);
      const pushed = await pushRepository(directory, target, {
        mode: flags.dryRun === true ? 'plan' : 'push',
        remove: flags.delete === true ? 'collected' : 'nothing',
        ...(flags.parallel === undefined ? {} : { parallel: flags.parallel }),
        ...draw,
      }).finally(draw.clear);
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ format: '1.0', dryRun: flags.dryRun === true, ...pushed }, undefined, 2)}\n`
          : pushedText(pushed, flags.dryRun === true),
      );
    });
}

function pushedText(
  { target, uploaded, present, timestamp, removed, waiting }: Pushed,
  dry: boolean,
): string {
  const would = dry ? 'would be ' : '';
  const bytes = uploaded.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return [
    ...(dry ? uploaded.map(({ name, sizeBytes }) => `${name}  ${bytesText(sizeBytes)}`) : []),
    `${would}sent to ${target}: ${uploaded.length} files, ${bytesText(bytes)}; ${present} were there already`,
    timestamp.changed
      ? `timestamp ${timestamp.version} ${dry ? 'would be published' : 'is visible'}`
      : `timestamp ${timestamp.version} is there already`,
    ...(removed.length === 0 ? [] : [`${would}removed: ${removed.length} files`]),
    ...(waiting.length === 0
      ? []
      : [`${waiting.length} files stay until the next push: machines may be fetching them`]),
    '',
  ].join('\n');
}

interface Drawing {
  readonly progress: (what: string, doneBytes: number, totalBytes: number) => void;
  readonly note: (text: string) => void;
  readonly clear: () => void;
}

/** A bar on a terminal, a line every two seconds elsewhere. */
function drawing(stream: NodeJS.WriteStream): Drawing {
  let lastLineAt = Date.now();
  const clear = (): void => {
    if (stream.isTTY) stream.write('\r\x1b[K');
  };
  return {
    clear,
    note: (text) => {
      clear();
      stream.write(`  ${text}\n`);
    },
    progress: (what, doneBytes, totalBytes) => {
      const numbers = `${bytesText(doneBytes)} of ${bytesText(totalBytes)}`;
      if (stream.isTTY) {
        const full = Math.round((totalBytes === 0 ? 1 : doneBytes / totalBytes) * 30);
        const bar = `  [${'#'.repeat(full)}${'.'.repeat(30 - full)}] ${numbers}  ${what}`;
        stream.write(`\r\x1b[K${bar.slice(0, (stream.columns ?? 80) - 1)}`);
      } else if (Date.now() - lastLineAt > 2000) {
        lastLineAt = Date.now();
        stream.write(`  sent ${numbers}\n`);
      }
    },
  };
}

function count(text: string): number {
  if (/^\d{1,2}$/.test(text) && Number(text) >= 1) return Number(text);
  throw new InvalidArgumentError('It is a number from 1 to 99.');
}
