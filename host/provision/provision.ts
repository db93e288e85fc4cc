/** From arguments to a stage or a command. What `boot` does not need is loaded when it is asked for: reading a program is most of what a boot waits for. */
import { parseArguments } from '../../system/arguments.ts';
import type { System } from '../../system/system.ts';
import { faultText } from './acquire.ts';
import { fail, type OutputFormat } from './commands/output.ts';
import { readPolicy } from './policy.ts';
import { bootStage } from './stages/boot.ts';
import { NO_CONFIGURATION, publishStatus } from './status.ts';

const FLAGS = [
  { name: 'json', value: false },
  { name: 'try', value: true },
  { name: 'network', value: true },
];

export async function runProvision(system: System): Promise<void> {
  const [stage, ...rest] = system.arguments;
  // A client that is gone: writes to it fail, and are not worth dying for.
  system.onSignal('SIGPIPE', () => undefined);
  const policy = readPolicy(system);
  if (policy === undefined) return fail(system, 'text', 'config.no-provisioner', 'this image has no policy');
  try {
    switch (stage) {
      case 'boot':
        await bootStage(system, policy);
        break;
      case 'online':
        await (await import('./stages/online.ts')).onlineStage(system, policy);
        break;
      case 'revert':
        await (await import('./stages/revert.ts')).revertStage(system, policy);
        break;
      case 'apply-staged': {
        const { applyStaged } = await import('./commands/apply.ts');
        return system.exit(await applyStaged(system, policy, Number(rest[0] ?? '0')));
      }
      case 'config':
        await config(rest);
        break;
      case undefined:
      default:
        return fail(system, 'text', 'config.stage', `${stage ?? 'nothing'} is no stage`);
    }
    return system.exit(0);
  } catch (error) {
    if (stage === 'config') return fail(system, 'text', 'config.broken', faultText(error));
    // The machine comes up all the same, and says why it is not as it should be.
    publishStatus(system, { ...NO_CONFIGURATION, state: 'failed', problems: [faultText(error)] }, 'loud');
    return system.exit(1);
  }

  async function config(argv: readonly string[]): Promise<void> {
    const parsed = parseArguments(argv, FLAGS, null);
    if (typeof parsed === 'string') return fail(system, 'text', 'config.usage', parsed);
    const format: OutputFormat = parsed.flags.has('json') ? 'json' : 'text';
    const network = parsed.flags.get('network');
    switch (parsed.words[0]) {
      case 'status':
        return (await import('./commands/status.ts')).showStatus(system, policy!, format);
      case 'validate':
        return (await import('./commands/validate.ts')).validate(system, policy!, network, format);
      case 'apply': {
        const { applyInput } = await import('./commands/apply.ts');
        return applyInput(system, policy!, network, Number(parsed.flags.get('try') ?? '0'), format);
      }
      case 'confirm':
        return (await import('./commands/confirm.ts')).confirm(system, format);
      case 'reset':
        return (await import('./commands/reset.ts')).reset(system, format);
      case undefined:
      default:
        return fail(system, format, 'config.usage', `config ${parsed.words[0] ?? ''} is no such thing`);
    }
  }
}
