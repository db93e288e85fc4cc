/** `slipway export`: a build or a disk in the forms that clouds, hypervisors and machines take. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { exportImage, type ExportedFile } from '../builder/export/export.ts';
import { FORMAT_NAMES, FORMATS, isFormat, type FormatName } from '../builder/export/formats.ts';
import { loadKeys } from '../builder/keys/load.ts';
import { passphraseSource } from '../builder/keys/passphrase.ts';
import { megabytes } from '../builder/report/sizes.ts';
import { askPassphrase } from './passphrase.ts';
import { terminalProgress } from './progress.ts';
import { table } from './table.ts';

interface ExportFlags {
  readonly format: readonly FormatName[];
  readonly output?: string;
  readonly keys: string;
  readonly json?: true;
}

export function exportCommand(): Command {
  return new Command('export')
    .description('Writes a build, or a disk image, in the forms that clouds, hypervisors and machines take.')
    .argument('<source>', 'the folder of a build (build/minimal), or a disk image (.raw)')
    .addOption(formatOption().makeOptionMandatory())
    .option('-o, --output <dir>', 'where the files go (default: beside the source)')
    .option(
      '--keys <dir>',
      'keys directory: iso and netboot are signed',
      process.env['SLIPWAY_KEYS'] ?? 'keys',
    )
    .option('--json', 'print the files as JSON')
    .addHelpText('after', `\nFormats:\n${formatHelp()}`)
    .action(async (source: string, flags: ExportFlags) => {
      const files = await exportImage(source, flags.format, {
        ...(flags.output === undefined ? {} : { output: flags.output }),
        keys: () => exportKeys(flags.keys),
        progress: terminalProgress(),
      });
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ format: '1.0', files }, null, 2)}\n`
          : `${exportTable(files)}\n`,
      );
    });
}

/** `--format F[,F...]`, repeatable. */
export function formatOption(): Option {
  return new Option('--format <formats>', `${FORMAT_NAMES.join(', ')}; several with commas`)
    .argParser(parseFormats)
    .default([], 'none');
}

export function exportKeys(directory: string): ReturnType<typeof loadKeys> {
  return loadKeys(directory, { passphrase: passphraseSource({ prompt: () => askPassphrase() }) });
}

export function exportTable(files: readonly ExportedFile[]): string {
  const rows = files.map(({ format, path, sizeBytes }) => [format, path, megabytes(sizeBytes)]);
  return table(['format', 'file', 'size'], rows);
}

function parseFormats(value: string, before: unknown): readonly FormatName[] {
  const formats = value.split(',').map((word) => word.trim());
  const unknown = formats.find((word) => !isFormat(word));
  if (unknown !== undefined)
    throw new InvalidArgumentError(
      `there is no format ${JSON.stringify(unknown)}: ${FORMAT_NAMES.join(', ')}`,
    );
  return [...(Array.isArray(before) ? (before as FormatName[]) : []), ...formats.filter(isFormat)];
}

function formatHelp(): string {
  return FORMAT_NAMES.map((name) => `  ${name.padEnd(9)} ${FORMATS[name].description}\n`).join('');
}
