/**
 * Parameters of bonds: what both versions call them, and the file of the kernel that takes them.
 * https://www.kernel.org/doc/html/latest/networking/bonding.html
 */
import type { Located, Position } from '../../../spec/located.ts';
import type { Parameter } from './config.ts';
import {
  addressOf,
  fault,
  flagOf,
  ignored,
  integerOf,
  listOf,
  macOf,
  readKeys,
  textOf,
  wordOf,
  type KeyReader,
  type Reader,
} from './reader.ts';

export const BOND_MODES = [
  'balance-rr',
  'active-backup',
  'balance-xor',
  'broadcast',
  '802.3ad',
  'balance-tlb',
  'balance-alb',
] as const;
type BondMode = (typeof BOND_MODES)[number];

type Read = (reader: Reader, value: Located, what: string) => readonly string[];

interface BondParameter {
  /** Below `bonding/`. */
  readonly file: string;
  readonly read: Read;
  /** The kernel refuses it in others. */
  readonly modes?: readonly BondMode[];
  /** Names a port. */
  readonly late?: true;
}

const number =
  (least: number, most: number): Read =>
  (reader, value, what) =>
    asList(integerOf(reader, value, what, least, most));

/** Milliseconds, unless a unit is written (as netplan has it). */
const milliseconds: Read = (reader, value, what) => {
  const written = value.kind === 'scalar' ? /^(\d{1,7})(ms|s)?$/.exec(value.text) : null;
  if (written === null) {
    fault(reader, value.at, 'time', `${what} is a number of milliseconds, or of seconds with an 's'`);
    return [];
  }
  return [`${Number(written[1]) * (written[2] === 's' ? 1000 : 1)}`];
};

const flag: Read = (reader, value, what) => {
  // Version 1 writes 0 and 1.
  if (value.kind === 'scalar' && /^[01]$/.test(value.text)) return [value.text];
  const read = flagOf(reader, value, what);
  return read === undefined ? [] : [read ? '1' : '0'];
};

const word =
  (...words: readonly string[]): Read =>
  (reader, value, what) =>
    asList(wordOf(reader, value, what, words));

const addresses: Read = (reader, value, what) =>
  (value.kind === 'list' ? listOf(reader, value, what) : [value]).flatMap((item) => {
    const address = addressOf(reader, item, what, 4);
    return address === undefined ? [] : [`+${address.text}`];
  });

const mac: Read = (reader, value, what) => asList(macOf(reader, value, what));

/** A port, by the name of its link. */
const portName: Read = (reader, value, what) => asList(textOf(reader, value, what));

const AD: readonly BondMode[] = ['802.3ad'];
const BACKUP: readonly BondMode[] = ['active-backup', 'balance-tlb', 'balance-alb'];
const ARP: readonly BondMode[] = ['balance-rr', 'active-backup', 'balance-xor', 'broadcast'];

/** In the order in which the kernel takes them: delays only after their monitor. */
const PARAMETERS: Readonly<Record<string, BondParameter>> = {
  'xmit-hash-policy': {
    file: 'xmit_hash_policy',
    read: word('layer2', 'layer3+4', 'layer2+3', 'encap2+3', 'encap3+4', 'vlan+srcmac'),
  },
  miimon: { file: 'miimon', read: milliseconds },
  updelay: { file: 'updelay', read: milliseconds },
  downdelay: { file: 'downdelay', read: milliseconds },
  'arp-interval': { file: 'arp_interval', read: milliseconds, modes: ARP },
  'arp-ip-target': { file: 'arp_ip_target', read: addresses, modes: ARP },
  'arp-validate': {
    file: 'arp_validate',
    read: word('none', 'active', 'backup', 'all', 'filter', 'filter_active', 'filter_backup'),
    modes: ARP,
  },
  'arp-all-targets': { file: 'arp_all_targets', read: word('any', 'all'), modes: ['active-backup'] },
  'fail-over-mac': {
    file: 'fail_over_mac',
    read: word('none', 'active', 'follow'),
    modes: ['active-backup'],
  },
  'lacp-rate': { file: 'lacp_rate', read: word('slow', 'fast'), modes: AD },
  'ad-select': { file: 'ad_select', read: word('stable', 'bandwidth', 'count'), modes: AD },
  'ad-actor-sys-prio': { file: 'ad_actor_sys_prio', read: number(1, 65535), modes: AD },
  'ad-actor-system': { file: 'ad_actor_system', read: mac, modes: AD },
  'ad-user-port-key': { file: 'ad_user_port_key', read: number(0, 1023), modes: AD },
  'min-links': { file: 'min_links', read: number(0, 4294967295) },
  'all-slaves-active': { file: 'all_slaves_active', read: flag },
  'num-grat-arp': { file: 'num_grat_arp', read: number(0, 255) },
  'num-unsol-na': { file: 'num_unsol_na', read: number(0, 255) },
  'peer-notif-delay': { file: 'peer_notif_delay', read: milliseconds },
  'packets-per-slave': { file: 'packets_per_slave', read: number(0, 65535), modes: ['balance-rr'] },
  'resend-igmp': { file: 'resend_igmp', read: number(0, 255) },
  'lp-interval': { file: 'lp_interval', read: number(1, 2147483647), modes: ['balance-tlb', 'balance-alb'] },
  'tlb-dynamic-lb': { file: 'tlb_dynamic_lb', read: flag, modes: ['balance-tlb'] },
  'use-carrier': { file: 'use_carrier', read: flag },
  'primary-reselect': { file: 'primary_reselect', read: word('always', 'better', 'failure'), modes: BACKUP },
  primary: { file: 'primary', read: portName, modes: BACKUP, late: true },
  'active-slave': { file: 'active_slave', read: portName, modes: BACKUP, late: true },
};

/** Version 2's names, where they differ. */
const VERSION_2: Readonly<Record<string, string>> = {
  'lacp-rate': 'lacp-rate',
  'mii-monitor-interval': 'miimon',
  'min-links': 'min-links',
  'transmit-hash-policy': 'xmit-hash-policy',
  'ad-select': 'ad-select',
  'all-slaves-active': 'all-slaves-active',
  'arp-interval': 'arp-interval',
  'arp-ip-targets': 'arp-ip-target',
  'arp-validate': 'arp-validate',
  'arp-all-targets': 'arp-all-targets',
  'up-delay': 'updelay',
  'down-delay': 'downdelay',
  'fail-over-mac-policy': 'fail-over-mac',
  'gratuitous-arp': 'num-grat-arp',
  'packets-per-slave': 'packets-per-slave',
  'primary-reselect-policy': 'primary-reselect',
  'learn-packet-interval': 'lp-interval',
  'resend-igmp': 'resend-igmp',
  primary: 'primary',
};

const READ_ONLY = 'the kernel only shows it';
const VERSION_1_IGNORED: Readonly<Record<string, string>> = {
  'bond-ad_actor_key': READ_ONLY,
  'bond-ad_aggregator': READ_ONLY,
  'bond-ad_num_ports': READ_ONLY,
  'bond-ad_partner_key': READ_ONLY,
  'bond-ad_partner_mac': READ_ONLY,
  'bond-mii_status': READ_ONLY,
  'bond-queue_id': 'queues of single ports are not set here',
};

/** Version 2's `parameters`. */
export function readBondParameters2(reader: Reader, node: Located): Parameter[] {
  return read(reader, node, "a bond's 'parameters'", 'mode', VERSION_2, {});
}

/** Version 1's `params`. `slaves` takes `bond-slaves`, another way of writing `bond_interfaces`. */
export function readBondParameters1(reader: Reader, node: Located, slaves: KeyReader): Parameter[] {
  const names = Object.fromEntries(
    Object.keys(PARAMETERS).map((name) => [`bond-${name.replaceAll('-', '_')}`, name]),
  );
  return read(reader, node, "a bond's 'params'", 'bond-mode', names, {
    ...VERSION_1_IGNORED,
    'bond-slaves': slaves,
  });
}

function read(
  reader: Reader,
  node: Located,
  what: string,
  modeKey: string,
  names: Readonly<Record<string, string>>,
  others: Readonly<Record<string, KeyReader | string>>,
): Parameter[] {
  let mode: BondMode = 'balance-rr';
  const found = new Map<string, { values: readonly string[]; keyAt: Position; key: string }>();
  const keys: Record<string, KeyReader | string> = {
    ...others,
    [modeKey]: (value) => (mode = modeOf(reader, value) ?? mode),
  };
  for (const [key, name] of Object.entries(names)) {
    const parameter = PARAMETERS[name];
    if (parameter === undefined) continue;
    keys[key] = (value, keyAt) =>
      found.set(name, { values: parameter.read(reader, value, `'${key}'`), keyAt, key });
  }
  readKeys(reader, node, what, keys);
  const parameters: Parameter[] = [{ name: 'bonding/mode', value: mode }];
  for (const [name, { file, modes, late }] of Object.entries(PARAMETERS)) {
    const written = found.get(name);
    if (written === undefined) continue;
    if (modes !== undefined && !modes.includes(mode)) {
      ignored(reader, written.keyAt, written.key, `bonds have it only in mode ${modes.join(', ')}`);
      continue;
    }
    for (const value of written.values)
      parameters.push({ name: `bonding/${file}`, value, ...(late === undefined ? {} : { late }) });
  }
  return parameters;
}

function modeOf(reader: Reader, value: Located): BondMode | undefined {
  const text = value.kind === 'scalar' ? value.text : '';
  // As the kernel counts them; version 1 is often written so.
  const byNumber = /^[0-6]$/.test(text) ? BOND_MODES[Number(text)] : undefined;
  if (text === 'balance-tcp' || text === 'balance-slb') {
    fault(reader, value.at, 'value', `${text} is a mode of Open vSwitch, which is not here`);
    return undefined;
  }
  return byNumber ?? wordOf(reader, value, 'the mode of a bond', BOND_MODES);
}

function asList(value: string | number | undefined): readonly string[] {
  return value === undefined ? [] : [`${value}`];
}
