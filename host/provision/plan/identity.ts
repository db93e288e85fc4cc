/** The machine's name. Without a configuration it is `<image>-<id>`, made by `sysinit`. */
import type { MachineConfig } from '../config.ts';
import type { MachineFacts } from './facts.ts';
import type { Step, Verdict } from './step.ts';

export interface PlannedName {
  readonly steps: readonly Step[];
  readonly verdicts: readonly Verdict[];
  readonly hostname: string | null;
  readonly fqdn: string | null;
}

const LABEL = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const KERNEL_LIMIT = 64;

/** What the platform calls it counts where the documents name nothing. */
export function planName(config: MachineConfig, facts: MachineFacts): PlannedName {
  const verdicts: Verdict[] = [];
  const written = config.fqdn ?? config.hostname;
  const platform = facts.platform.hostname;
  const key = config.hostname === undefined && config.fqdn !== undefined ? 'fqdn' : 'hostname';
  const at = (config.hostname ?? config.fqdn)?.at ?? { part: 'meta-data', line: 1, column: 1 };
  const nothing = { steps: [], verdicts, hostname: null, fqdn: null };

  if (config.preserveHostname?.value === true) {
    for (const [name, value] of [
      ['hostname', config.hostname],
      ['fqdn', config.fqdn],
    ] as const)
      if (value !== undefined)
        verdicts.push({ key: name, at: value.at, state: 'ignored', reason: '`preserve_hostname` is true' });
    verdicts.push({
      key: 'preserve_hostname',
      at: config.preserveHostname.at,
      state: 'applied',
      reason: null,
    });
    return nothing;
  }
  const full =
    config.fqdn?.value ??
    dotted(config.hostname?.value) ??
    (written === undefined ? dotted(platform) : undefined);
  const short = (config.hostname?.value ?? full ?? platform ?? '').split('.')[0] ?? '';
  if (short === '') return nothing;
  const name = config.preferFqdn?.value === true && full !== undefined ? full : short;
  const problem = nameProblem(name) ?? (full === undefined ? undefined : nameProblem(full));
  if (problem !== undefined) {
    verdicts.push({ key, at, state: 'failed', reason: problem });
    return nothing;
  }
  for (const [other, value] of [
    ['hostname', config.hostname],
    ['fqdn', config.fqdn],
    ['prefer_fqdn_over_hostname', config.preferFqdn],
    ['preserve_hostname', config.preserveHostname],
    ['manage_etc_hosts', config.manageEtcHosts],
  ] as const)
    if (value !== undefined && other !== key)
      verdicts.push({ key: other, at: value.at, state: 'applied', reason: null });
  const names = [...new Set([full, short, name].filter((one) => one !== undefined))];
  return {
    steps: [
      {
        key,
        at,
        phase: 'state',
        kind: 'hostname',
        name,
        hosts:
          config.manageEtcHosts?.value === false
            ? null
            : `127.0.0.1 localhost\n::1 localhost\n127.0.1.1 ${names.join(' ')}\n`,
      },
    ],
    verdicts,
    hostname: name,
    fqdn: full ?? null,
  };
}

function dotted(name: string | null | undefined): string | undefined {
  return name?.includes('.') === true ? name : undefined;
}

function nameProblem(name: string): string | undefined {
  if (name.length > KERNEL_LIMIT) return `the name is longer than ${KERNEL_LIMIT} characters`;
  return name.split('.').every((label) => LABEL.test(label))
    ? undefined
    : 'a name is made of a-z, 0-9 and -, with dots between its parts';
}
