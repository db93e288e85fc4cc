/** `slipway release`: what a repository offers to machines. */
import { Command } from 'commander';
import { addCommand } from './release-add.ts';
import { pauseCommand, resumeCommand, slowCommand } from './release-brake.ts';
import { bundleCommand } from './release-bundle.ts';
import { promoteCommand, withdrawCommand } from './release-change.ts';
import { listCommand, showCommand } from './release-list.ts';

export function releaseCommand(): Command {
  return new Command('release')
    .description('Publishes releases, and says how far they may spread.')
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(promoteCommand())
    .addCommand(withdrawCommand())
    .addCommand(pauseCommand())
    .addCommand(slowCommand())
    .addCommand(resumeCommand())
    .addCommand(bundleCommand());
}
