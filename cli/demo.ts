/** `slipway demo`: what Slipway does, to watch. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { demonstrateUpdate } from './demo/update.ts';

export function demoCommand(): Command {
  return new Command('demo').description('Shows what Slipway does, with a running commentary.').addCommand(
    new Command('update')
      .description(
        'Builds two versions and a bad third, publishes them, boots a machine, and lets you watch it update, refuse and return. Takes some minutes.',
      )
      .option('--directory <dir>', 'where keys, builds, repository and console log go', 'build/demo')
      .action(async ({ directory }: { directory: string }) => {
        await demonstrateUpdate(resolve(directory));
      }),
  );
}
