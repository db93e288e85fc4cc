/**
 * From a configuration and the facts of a machine to what is to be done, in order. Pure: the same input gives the same bytes, on Node and on
 * QuickJS.
 *
 * The order: what runs at every boot as early as can be; users; disks and what is mounted; files, so that they come to lie in what is
 * mounted; names and settings; services; what runs once; at last what tells others, or ends the machine.
 */
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { MachineConfig } from '../config.ts';
import { planAccounts } from './accounts.ts';
import { planEarly, planLate } from './commands.ts';
import { planDisks } from './disks.ts';
import type { MachineFacts } from './facts.ts';
import { planFiles } from './files.ts';
import { planFinal } from './final.ts';
import { planName } from './identity.ts';
import { permitted } from './permission.ts';
import { planSettings } from './settings.ts';
import type { ConfigPlan, Step } from './step.ts';
import { planUpdate } from './update.ts';

export function planConfig(
  wanted: MachineConfig,
  known: MachineFacts,
  policy: ProvisioningPolicy,
): ConfigPlan {
  const { config, facts, verdicts: refused } = permitted(wanted, known, policy);
  const where = policy.scripts;
  const accounts = planAccounts(config, facts);
  const disks = planDisks(config, facts);
  const files = planFiles(config, accounts);
  const name = planName(config, facts);
  const settings = planSettings(config, facts);
  const final = planFinal(config, facts, name, where);
  return {
    format: '1.0',
    source: facts.source,
    instanceId: facts.instanceId,
    steps: [
      ...planEarly(config, facts, where),
      ...accountSteps(accounts.action),
      ...disks.steps,
      ...files.steps,
      ...name.steps,
      ...settings.steps,
      ...planUpdate(config),
      ...serviceSteps(config),
      ...planLate(config, where),
      ...final.steps,
    ],
    verdicts: [
      ...refused,
      ...[accounts, disks, files, name, settings, final].flatMap(({ verdicts }) => verdicts),
    ],
    install: config.install ?? null,
  };
}

function accountSteps(action: ReturnType<typeof planAccounts>['action']): readonly Step[] {
  const [first] = action?.keys ?? [];
  if (action === undefined) return [];
  const head = first ?? { key: 'ssh_authorized_keys', at: { part: 'meta-data', line: 1, column: 1 } };
  const state: Step = { ...head, phase: 'state', ...action, fetch: false };
  const needsNetwork = action.users.some(({ importIds }) => importIds.length > 0);
  return needsNetwork ? [state, { ...state, phase: 'online', fetch: true }] : [state];
}

function serviceSteps({ services }: MachineConfig): readonly Step[] {
  const [first] = services;
  if (first === undefined) return [];
  const names = services.map(({ name }) => name.value);
  return [{ key: 'services', at: first.name.at, phase: 'state', kind: 'services', names }];
}
