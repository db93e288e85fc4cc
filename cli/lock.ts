/** `slipway lock`: resolves the newest inputs of an image, writes its lock file, tells what changed. */
import { relative } from 'node:path';
import { Command } from 'commander';
import { fetchContext } from '../builder/build/inputs.ts';
import { readImage } from '../builder/build/prepare.ts';
import { formatChanges } from '../builder/lock/changes.ts';
import { updateLock, type LockUpdate } from '../builder/lock/update.ts';
import { vendorInputs, type VendorResult } from '../builder/lock/vendor.ts';
import type { Architecture } from '../spec/image.ts';
import { architectureOption } from './architecture-option.ts';
import { terminalProgress } from './progress.ts';

interface LockFlags {
  readonly vendor?: string;
  readonly profile: readonly string[];
  readonly architecture?: Architecture;
  readonly json?: boolean;
}

export function lockCommand(): Command {
  return new Command('lock')
    .description('Resolve the newest inputs of an image and write its lock file beside it.')
    .argument('<image>', 'image definition, for example images/minimal.yaml')
    .option('--vendor <dir>', "copy every locked input into a folder that the image's `inputs:` can name")
    .option('--profile <name...>', 'profiles of the image whose packages are locked too', [])
    .addOption(architectureOption())
    .option('--json', 'print the changes as JSON')
    .action(async (file: string, flags: LockFlags) => {
      const progress = terminalProgress();
      const image = await readImage(file, flags.profile, flags.architecture);
      const update = await progress.step('lock', () =>
        updateLock(image, { progress: (text) => progress.note(text) }),
      );
      const folder = flags.vendor;
      const vendored =
        folder === undefined
          ? undefined
          : await progress.step('vendor', () =>
              vendorInputs(update.lock, folder, fetchContext(image, progress)),
            );
      process.stdout.write(flags.json === true ? json(update, vendored) : text(update, vendored));
    });
}

function json({ path, lock, changes }: LockUpdate, vendored: VendorResult | undefined): string {
  const counts = { packages: lock.packages.length, tools: lock.tools.length, images: lock.images.length };
  return `${JSON.stringify({ lock: path, ...counts, changes, vendored: vendored ?? null }, undefined, 2)}\n`;
}

function text({ path, lock, created, changes }: LockUpdate, vendored: VendorResult | undefined): string {
  const name = relative(process.cwd(), path);
  const inputs = `${lock.packages.length} packages, ${lock.tools.length} of build tools`;
  const count = changes.length === 1 ? '1 change' : `${changes.length} changes`;
  const lines = created
    ? [`${name}: written anew (${inputs})`]
    : changes.length === 0
      ? [`${name} is up to date (${inputs})`]
      : [formatChanges(changes), '', `${name}: ${count} (${inputs})`];
  if (vendored !== undefined) {
    const size = `${(vendored.sizeBytes / 1e6).toFixed(1)} MB`;
    lines.push(`${vendored.folder}: ${vendored.inputs} inputs, ${size}, ${vendored.added} of them new`);
  }
  return `${lines.join('\n')}\n`;
}
