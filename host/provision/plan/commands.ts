/** What runs: `bootcmd` at every boot, `runcmd` and scripts once an instance. A list of commands is one shell script, as with cloud-init. */
import type { Command, MachineConfig, Place } from '../config.ts';
import type { MachineFacts } from './facts.ts';
import type { ScriptAction, Step } from './step.ts';

/** Nobody waits for ever: what takes longer is ended, and has failed. */
const LIMITS = { early: 120, final: 3600 };
const RANDOM_SEED_FILE = '/dev/urandom';

export function planEarly(
  config: MachineConfig,
  facts: MachineFacts,
  where: ScriptAction['where'],
): readonly Step[] {
  const { randomSeed, bootCommands } = config;
  const steps: Step[] = [];
  if (randomSeed?.data !== undefined)
    steps.push({
      key: 'random_seed',
      at: randomSeed.at,
      phase: 'early',
      kind: 'random-seed',
      data: randomSeed.data.value,
    });
  if (randomSeed?.command !== undefined)
    steps.push({
      ...script('random_seed', randomSeed.at, 'early', where),
      name: 'random-seed',
      when: 'instance',
      text: shellScript([randomSeed.command], { RANDOM_SEED_FILE }),
    });
  const [first] = bootCommands;
  if (first !== undefined)
    steps.push({
      ...script('bootcmd', first.at, 'early', where),
      name: 'bootcmd',
      when: 'boot',
      text: shellScript(bootCommands, { INSTANCE_ID: facts.instanceId }),
    });
  return steps;
}

export function planLate(
  { runCommands, scripts }: MachineConfig,
  where: ScriptAction['where'],
): readonly Step[] {
  const [first] = runCommands;
  return [
    ...(first === undefined
      ? []
      : [
          {
            ...script('runcmd', first.at, 'final', where),
            name: 'runcmd',
            text: shellScript(runCommands, {}),
          },
        ]),
    ...scripts.map((entry) => ({
      ...script(`script ${entry.name}`, entry.at, 'final', where),
      name: `script-${entry.name}`,
      when: entry.when,
      text: entry.text.value,
    })),
  ];
}

export function script(
  key: string,
  at: Place,
  phase: 'early' | 'final',
  where: ScriptAction['where'],
): Step & ScriptAction {
  return {
    key,
    at,
    phase,
    kind: 'script',
    name: key,
    text: '',
    when: 'instance',
    where,
    limitSeconds: LIMITS[phase],
  };
}

/** Lists are words, taken as they are; texts are for the shell. A command that fails does not keep the next from running. */
export function shellScript(
  commands: readonly Command[],
  variables: Readonly<Record<string, string>>,
): string {
  const exports = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`);
  const lines = commands.map(({ run }) => ('shell' in run ? run.shell : run.argv.map(quoted).join(' ')));
  return ['#!/bin/sh', ...exports, ...lines, ''].join('\n');
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
