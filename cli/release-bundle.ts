/** `slipway release bundle`: for machines without a network. */
import { Command } from 'commander';
import { existsSync, statSync } from 'node:fs';
import { makeBundle } from '../updater/repository/bundle/bundle.ts';
import { bytesText } from './bytes-text.ts';
import { withChoice, type ChoiceFlags } from './release-choice.ts';
import { trustedRoot, withRoot, type RootFlags } from './repository-root.ts';

interface Flags extends RootFlags, ChoiceFlags {
  readonly output: string;
  readonly version?: string;
  readonly from: readonly string[];
  readonly full: boolean;
  readonly json?: true;
}

export function bundleCommand(): Command {
  return withRoot(
    withChoice(
      new Command('bundle')
        .description(
          'Writes what machines without a network need, into one tar file or onto a stick: the newest release, or a given one.',
        )
        .argument('<dir>', 'the repository'),
    ),
  )
    .requiredOption('--output <path>', 'a file, or a folder (it exists, or ends with /)')
    .option('--release <version>', 'this release instead of the newest')
    .option('--from <versions...>', 'for machines that run these: deltas, and the releases on their way', [])
    .option(
      '--no-full',
      'with --from: without the full payloads, which serve machines whose old version is damaged',
    )
    .option('--json', 'print what is in it as JSON')
    .action(async (directory: string, flags: Flags & { readonly release?: string }) => {
      const isFolder =
        flags.output.endsWith('/') || (existsSync(flags.output) && statSync(flags.output).isDirectory());
      const bundle = await makeBundle(directory, flags.output, {
        root: await trustedRoot(directory, flags),
        from: flags.from,
        full: flags.full ? 'with' : 'without',
        form: isFolder ? 'folder' : 'tar',
        ...(flags.release === undefined ? {} : { version: flags.release }),
        ...(flags.image === undefined ? {} : { image: flags.image }),
        ...(flags.architecture === undefined ? {} : { architecture: flags.architecture }),
        progress: (done, total) => {
          if (process.stderr.isTTY)
            process.stderr.write(
              `\r\x1b[K  ${bytesText(done)} of ${bytesText(total)}${done === total ? '\n' : ''}`,
            );
        },
      });
      if (flags.json === true)
        return void process.stdout.write(
          `${JSON.stringify({ format: '1.0', output: flags.output, ...bundle }, undefined, 2)}\n`,
        );
      const names = bundle.releases.map(
        ({ image, version, architecture }) => `${image} ${version} (${architecture})`,
      );
      process.stdout.write(
        `${flags.output}: ${names.join(', ')}; ${bundle.files} files, ${bytesText(bundle.sizeBytes)}\n` +
          `Machines take it until ${bundle.validUntil.toISOString().slice(0, 16).replace('T', ' ')} UTC: it is signed for so long.\n` +
          'On the machine: slip update apply --bundle PATH\n',
      );
    });
}
