import { Command } from 'commander';
import { buildImage, type BuildResult } from '../builder/build/build.ts';
import { defaultOutput, prepareBuild } from '../builder/build/prepare.ts';
import { exportImage, type ExportedFile } from '../builder/export/export.ts';
import type { FormatName } from '../builder/export/formats.ts';
import { passphraseSource } from '../builder/keys/passphrase.ts';
import { megabytes } from '../builder/report/sizes.ts';
import { exportTable, formatOption } from './export.ts';
import type { Architecture } from '../spec/image.ts';
import { architectureOption } from './architecture-option.ts';
import { askPassphrase } from './passphrase.ts';
import { terminalProgress } from './progress.ts';
import { table } from './table.ts';

interface BuildFlags {
  readonly output?: string;
  readonly locked?: boolean;
  readonly keys: string;
  readonly profile: readonly string[];
  readonly architecture?: Architecture;
  readonly measure?: boolean;
  readonly format: readonly FormatName[];
  readonly json?: boolean;
}

export function buildCommand(): Command {
  return new Command('build')
    .description('Build a signed, reproducible image from an image definition.')
    .argument('<image>', 'image definition, for example images/minimal.yaml')
    .option('-o, --output <dir>', 'where the artifacts go (default: build/<name>)')
    .option('--locked', 'fail if the lock file is missing or stale, instead of locking anew')
    .option('--keys <dir>', 'keys directory (see: slipway keys init)', process.env['SLIPWAY_KEYS'] ?? 'keys')
    .option('--profile <name...>', 'profiles of the image to activate; `debug` is signed by the debug CA', [])
    .addOption(architectureOption())
    .option('--measure', 'measure the exact download size (zstd -19 --long=27, about half a minute)')
    .addOption(formatOption())
    .option('--json', 'print the manifest and the download size as JSON')
    .action(async (file: string, flags: BuildFlags) => {
      const progress = terminalProgress();
      const start = performance.now();
      const { image, lock, keys } = await prepareBuild(file, {
        keys: flags.keys,
        passphrase: passphraseSource({ prompt: () => askPassphrase() }),
        profiles: flags.profile,
        architecture: flags.architecture,
        lock: flags.locked === true ? 'require' : 'update',
        progress,
      });
      const output = flags.output ?? defaultOutput(image);
      const result = await buildImage(image, {
        lock,
        keys,
        output,
        progress,
        measure: flags.measure === true ? 'exact' : 'quick',
      });
      const exported =
        flags.format.length === 0
          ? []
          : await exportImage(output, flags.format, { keys: () => Promise.resolve(keys), progress });
      const seconds = (performance.now() - start) / 1000;
      process.stdout.write(
        flags.json === true
          ? `${JSON.stringify({ ...result.manifest, download: result.download, unchanged: result.unchanged, exported }, null, 2)}\n`
          : summary(result, output, seconds, exported),
      );
    });
}

function summary(
  { manifest, download, unchanged }: BuildResult,
  output: string,
  seconds: number,
  exported: readonly ExportedFile[],
): string {
  const rows = manifest.components.map(({ component, files, sizeBytes }) => [
    component,
    String(files),
    megabytes(sizeBytes),
  ]);
  const artifacts = [manifest.disk, ...manifest.artifacts].map(({ name, sizeBytes }) => [
    name,
    megabytes(sizeBytes),
  ]);
  const size =
    download.kind === 'exact'
      ? `${megabytes(download.sizeBytes)} (root and UKI, one zstd -19 --long=27 stream)`
      : `at most ${megabytes(download.sizeBytes)} (zstd -3; the exact size with --measure)`;
  return [
    table(['component', 'files', 'size'], rows),
    '',
    table([`in ${output}/`, 'size'], artifacts),
    ...(exported.length === 0 ? [] : ['', exportTable(exported)]),
    '',
    `root hash   ${manifest.rootHash}`,
    `signed by   ${manifest.signer.subject}`,
    `download    ${size}`,
    unchanged
      ? `nothing changed (${seconds.toFixed(2)} s)`
      : `built ${manifest.name} ${manifest.version} in ${seconds.toFixed(1)} s`,
    '',
  ].join('\n');
}
