/** From arguments to a stage or a command. */
import { parseArguments } from '../../system/arguments.ts';
import type { System } from '../../system/system.ts';
import { faultText } from './acquire.ts';
import { applyInput, applyStaged } from './commands/apply.ts';
import { confirm } from './commands/confirm.ts';
import { fail, type OutputFormat } from './commands/output.ts';
import { reset } from './commands/reset.ts';
import { showStatus } from './commands/status.ts';
import { validate } from './commands/validate.ts';
import { readPolicy } from './policy.ts';
import { bootStage } from './stages/boot.ts';
import { onlineStage } from './stages/online.ts';
import { revertStage } from './stages/revert.ts';
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
        await onlineStage(system, policy);
        break;
      case 'revert':
        await revertStage(system, policy);
        break;
      case 'apply-staged':
        return system.exit(await applyStaged(system, policy, Number(rest[0] ?? '0')));
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
        return showStatus(system, policy!, format);
      case 'validate':
        return validate(system, policy!, network, format);
      case 'apply':
        return applyInput(system, policy!, network, Number(parsed.flags.get('try') ?? '0'), format);
      case 'confirm':
        return confirm(system, format);
      case 'reset':
        return reset(system, format);
      case undefined:
      default:
        return fail(system, format, 'config.usage', `config ${parsed.words[0] ?? ''} is no such thing`);
    }
  }
}
