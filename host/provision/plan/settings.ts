/** What services read as they start: time zone, NTP, certificates, name servers, host keys. Each is one or two small files below /run/etc. */
import type { At, HostKeyType, MachineConfig, NtpSettings, Place } from '../config.ts';
import type { MachineFacts } from './facts.ts';
import { CHRONY_SOURCES, LOCAL_TIME, OPENNTPD, RESOLV_PART } from './paths.ts';
import type { Step, Verdict } from './step.ts';
import { timeZoneFile } from './time-zone.ts';

interface Planned {
  readonly steps: readonly Step[];
  readonly verdicts: readonly Verdict[];
}

const NOTHING: Planned = { steps: [], verdicts: [] };
/** As long as it cannot be taken for anything else in a line of a configuration file. */
const HOST = /^[A-Za-z0-9][A-Za-z0-9.:_%-]{0,253}$/;
const NETWORK = /^(all|[0-9A-Fa-f.:]{2,45}(\/\d{1,3})?)$/;
const WORD = /^[\x21-\x7e]{1,255}$/;

export function planSettings(config: MachineConfig, facts: MachineFacts): Planned {
  const parts = [
    planTimeZone(config),
    planNtp(config, facts),
    planCertificates(config),
    planNameServers(config),
    planHostKeys(config, facts),
    planKeyboard(config),
  ];
  return { steps: parts.flatMap(({ steps }) => steps), verdicts: parts.flatMap(({ verdicts }) => verdicts) };
}

function planTimeZone({ timezone }: MachineConfig): Planned {
  if (timezone === undefined) return NOTHING;
  const base64 = timeZoneFile(timezone.value.rule);
  if (base64 === undefined)
    return failure('timezone', timezone.at, `the rule of ${timezone.value.name} cannot be written as a file`);
  return { steps: [runtimeFile('timezone', timezone.at, LOCAL_TIME, { base64 })], verdicts: [] };
}

function planNtp({ ntp }: MachineConfig, facts: MachineFacts): Planned {
  if (ntp === undefined) return NOTHING;
  if (!facts.image.services.includes('time'))
    return failure('ntp', ntp.at, 'this image has no service `time`');
  const bad = [...ntp.servers, ...ntp.pools, ...ntp.peers].find(({ value }) => !HOST.test(value));
  if (bad !== undefined) return failure('ntp', bad.at, 'a time server is a name or an address');
  const network = ntp.allow.find(({ value }) => !NETWORK.test(value));
  if (network !== undefined)
    return failure('ntp', network.at, 'a network is an address with the length of its prefix');
  // Nothing is said about servers: those of the image stay.
  if (ntp.enabled.value && ntp.servers.length + ntp.pools.length + ntp.peers.length + ntp.allow.length === 0)
    return {
      steps: [],
      verdicts: [{ key: 'ntp', at: ntp.at, state: 'applied', reason: 'with the servers of the image' }],
    };
  const files = [
    [CHRONY_SOURCES, chronySources(ntp)],
    [OPENNTPD, openntpd(ntp)],
  ] as const;
  return {
    steps: files.map(([path, text]) => runtimeFile('ntp', ntp.at, path, { text }, { service: 'time' })),
    verdicts: [],
  };
}

/** chrony.conf(5). */
function chronySources({ enabled, servers, pools, peers, allow }: NtpSettings): string {
  if (!enabled.value) return '# No time server: the clock runs by itself.\n';
  return lines(
    servers.map(({ value }) => `server ${value} iburst`),
    pools.map(({ value }) => `pool ${value} iburst maxsources 4`),
    peers.map(({ value }) => `peer ${value}`),
    allow.map(({ value }) => (value === 'all' ? 'allow' : `allow ${value}`)),
  );
}

/** ntpd.conf(5): it knows no peers, and serves nobody here. */
function openntpd({ enabled, servers, pools, peers }: NtpSettings): string {
  if (!enabled.value) return '# No time server: the clock runs by itself.\n';
  return lines(
    [...servers, ...peers].map(({ value }) => `server ${value}`),
    pools.map(({ value }) => `servers ${value}`),
  );
}

function planCertificates({ caCertificates }: MachineConfig): Planned {
  if (caCertificates === undefined) return NOTHING;
  const { at, removeDefaults, trusted } = caCertificates;
  return {
    steps: [
      {
        key: 'ca_certs',
        at,
        phase: 'state',
        kind: 'certificates',
        removeDefaults: removeDefaults.value,
        trusted: trusted.map(({ value }) => value.trim()),
      },
    ],
    verdicts: [],
  };
}

/** Beside what DHCP says; these come first. */
function planNameServers({ resolvConf }: MachineConfig): Planned {
  if (resolvConf === undefined) return NOTHING;
  const { at, nameservers, searchDomains, domain, sortlist, options } = resolvConf;
  const all = [
    ...nameservers,
    ...searchDomains,
    ...sortlist,
    ...options,
    ...(domain === undefined ? [] : [domain]),
  ];
  const bad = all.find(({ value }) => !WORD.test(value));
  if (bad !== undefined) return failure('resolv_conf', bad.at, 'this is no single word');
  const search = searchDomains.length > 0 ? searchDomains : domain === undefined ? [] : [domain];
  const text = lines(
    search.length === 0 ? [] : [`search ${words(search)}`],
    nameservers.map(({ value }) => `nameserver ${value}`),
    sortlist.length === 0 ? [] : [`sortlist ${words(sortlist)}`],
    options.length === 0 ? [] : [`options ${words(options)}`],
  );
  return {
    steps: [runtimeFile('resolv_conf', at, RESOLV_PART, { text }, { service: 'network' })],
    verdicts: [],
  };
}

function planHostKeys({ ssh }: MachineConfig, { image }: MachineFacts): Planned {
  const { hostKeys, deleteKeys, keyTypes } = ssh;
  const verdicts: Verdict[] = [];
  const at = hostKeys[0]?.text.at ?? keyTypes?.[0]?.at ?? deleteKeys?.at;
  if (at === undefined) return NOTHING;
  const key =
    hostKeys.length > 0 ? 'ssh_keys' : keyTypes === undefined ? 'ssh_deletekeys' : 'ssh_genkeytypes';
  for (const [other, place] of [
    ['ssh_genkeytypes', keyTypes?.[0]?.at],
    ['ssh_deletekeys', deleteKeys?.at],
  ] as const)
    if (place !== undefined && other !== key)
      verdicts.push({ key: other, at: place, state: 'applied', reason: null });
  if (image.sshServer === null) return failure(key, at, 'this image has no service `ssh`');
  if (image.sshServer === 'dropbear' && (hostKeys.length > 0 || keyTypes !== undefined))
    return failure(key, at, "this image's `ssh` is Dropbear: it has one key, ed25519, of its own making");
  const unpaired = unpairedKey(hostKeys);
  if (unpaired !== undefined) return failure('ssh_keys', unpaired.at, unpaired.reason);
  const types: readonly HostKeyType[] = keyTypes?.map(({ value }) => value) ?? ['ed25519'];
  return {
    steps: [
      {
        key,
        at,
        phase: 'state',
        kind: 'host-keys',
        deleteOld: deleteKeys?.value === true,
        keys: hostKeys.map(({ type, kind, text }) => ({ type, kind, text: `${text.value.trim()}\n` })),
        // Given ones are the only ones unless others are asked for, as with cloud-init.
        types: hostKeys.length > 0 && keyTypes === undefined ? [] : types,
      },
    ],
    verdicts,
  };
}

/** A certificate or a public key alone lets nobody in: sshd would not come up with it. */
function unpairedKey(
  keys: MachineConfig['ssh']['hostKeys'],
): { readonly at: Place; readonly reason: string } | undefined {
  const privates = new Set(keys.filter(({ kind }) => kind === 'private').map(({ type }) => type));
  const alone = keys.find(({ type }) => !privates.has(type));
  if (alone !== undefined)
    return { at: alone.text.at, reason: `the private key to ${alone.type} is missing` };
  const broken = keys.find(
    ({ kind, text }) =>
      kind === 'private' && !/^-----BEGIN [A-Z ]*PRIVATE KEY-----\n[^]*\n-----END /.test(text.value),
  );
  return broken === undefined
    ? undefined
    : { at: broken.text.at, reason: 'this is no private key in PEM form' };
}

function planKeyboard({ keyboard }: MachineConfig): Planned {
  if (keyboard === undefined) return NOTHING;
  const reason = 'nobody logs in at the console';
  return { steps: [], verdicts: [{ key: 'keyboard', at: keyboard.at, state: 'ignored', reason }] };
}

export function runtimeFile(
  key: string,
  at: Place,
  path: string,
  content: { readonly text: string } | { readonly base64: string },
  options: { readonly service?: string; readonly mode?: number } = {},
): Step {
  const { service = null, mode = 0o644 } = options;
  return { key, at, phase: 'state', kind: 'runtime-file', path, content, mode, service };
}

function failure(key: string, at: Place, reason: string): Planned {
  return { steps: [], verdicts: [{ key, at, state: 'failed', reason }] };
}

function words(values: readonly At<string>[]): string {
  return values.map(({ value }) => value).join(' ');
}

function lines(...groups: readonly (readonly string[])[]): string {
  return groups
    .flat()
    .map((line) => `${line}\n`)
    .join('');
}
