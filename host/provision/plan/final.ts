/** What comes last: telling somebody, and going down if asked to. */
import type { MachineConfig } from '../config.ts';
import { script, shellScript } from './commands.ts';
import type { MachineFacts } from './facts.ts';
import type { PlannedName } from './identity.ts';
import type { ScriptAction, Step, Verdict } from './step.ts';

export function planFinal(
  config: MachineConfig,
  facts: MachineFacts,
  name: Pick<PlannedName, 'hostname' | 'fqdn'>,
  where: ScriptAction['where'],
): { readonly steps: readonly Step[]; readonly verdicts: readonly Verdict[] } {
  const { finalMessage, phoneHome, powerState } = config;
  const steps: Step[] = [];
  const verdicts: Verdict[] = [];
  if (phoneHome !== undefined) {
    const hostname = name.hostname ?? facts.defaultHostname;
    steps.push({
      key: 'phone_home',
      at: phoneHome.at,
      phase: 'final',
      kind: 'phone-home',
      url: phoneHome.url.value,
      post: phoneHome.post.value,
      tries: phoneHome.tries.value,
      values: { instance_id: facts.instanceId, hostname, fqdn: name.fqdn ?? hostname },
    });
  }
  if (finalMessage !== undefined)
    steps.push({
      key: 'final_message',
      at: finalMessage.at,
      phase: 'final',
      kind: 'message',
      text: finalMessage.value.replaceAll(/\$\{?DATASOURCE\}?/gi, facts.source),
    });
  if (powerState === undefined) return { steps, verdicts };
  const { at, mode, delayMinutes, message, timeoutSeconds, condition } = powerState;
  if ('value' in condition && !condition.value) {
    verdicts.push({ key: 'power_state', at, state: 'applied', reason: 'its condition is false' });
    return { steps, verdicts };
  }
  const { kind: _, ...asked } = script('power_state', at, 'final', where);
  steps.push({
    key: 'power_state',
    at,
    phase: 'final',
    kind: 'power',
    // There is nothing between halted and off for a machine that nobody stands at.
    mode: mode.value === 'reboot' ? 'reboot' : 'poweroff',
    delaySeconds: delayMinutes.value * 60,
    message: message?.value ?? null,
    condition:
      'value' in condition
        ? null
        : {
            ...asked,
            name: 'power-state-condition',
            limitSeconds: timeoutSeconds.value,
            text: shellScript([condition], {}),
          },
  });
  return { steps, verdicts };
}
