/** `slipway release`: what a repository offers to machines. */
import { Command } from 'commander';
import { addCommand } from './release-add.ts';

export function releaseCommand(): Command {
  return new Command('release')
    .description('Publishes releases, and says how far they may spread.')
    .addCommand(addCommand());
}
