/**
 * From a configuration to what the `network` service does at its start, as text that its shell reads line by line (`plan`,
 * docs/network.md). All deciding is done here; only which card is which is found there, because cards may come late. Pure, and the same
 * bytes on every runtime.
 */
import { isLinkLocal, parseAddress } from './address.ts';
import type { DhcpOverrides, EthernetLink, NetworkConfig, NetworkLink, Route } from './config.ts';
import { isOnLink } from './routes.ts';

/** A card as it is now. */
export interface NetworkCard {
  readonly name: string;
  /** What the kernel called it before it was named by its place. */
  readonly kernelName: string;
  readonly macAddress: string;
  readonly driver: string;
}

export interface NetworkFacts {
  /** Those that are there already; others may come. */
  readonly cards: readonly NetworkCard[];
  /** Kernel modules of this image, of those that links need. */
  readonly modules: readonly string[];
  /** Whether the image's network service speaks DHCPv6. */
  readonly dhcp6: boolean;
}

export interface NetworkPlan {
  readonly format: '1.0';
  /** What the service reads. */
  readonly text: string;
  /** What will not work on this machine, with the line that asks for it; for the status. */
  readonly problems: readonly NetworkProblem[];
}

export interface NetworkProblem {
  /** From 1, in the network configuration. */
  readonly line: number;
  readonly message: string;
  /** A card that is not there yet may come; a module that the image lacks does not. */
  readonly kind: 'missing-card' | 'missing-module' | 'no-dhcp6';
}

/** Kernel module by kind of link. */
export const LINK_MODULES = { bond: 'bonding', bridge: 'bridge', vlan: '8021q' } as const;

/** So that whatever DHCP brings on a faulty link comes after what was understood of it. */
const FALLBACK_METRIC = 20_000;

export const PLAN_HEADER = 'slipway-network 1';

export function planNetwork(config: NetworkConfig, facts: NetworkFacts): NetworkPlan {
  // A card that only its address fits goes to the link that names the address, not to the one that takes any.
  const cards = config.links
    .filter((link): link is EthernetLink => link.kind === 'ethernet')
    .map((link, index) => ({ link, index }))
    .sort((a, b) => looseness(a.link) - looseness(b.link) || a.index - b.index)
    .map(({ link }) => link);
  const ordered: NetworkLink[] = [...cards, ...config.links.filter(({ kind }) => kind !== 'ethernet')];
  const numbers = new Map(ordered.map(({ id }, index) => [id, index]));
  const masters = new Set(config.links.flatMap((link) => ('ports' in link ? link.ports : [])));
  const lines = [
    PLAN_HEADER,
    ...nameServerLines(config),
    ...ordered.flatMap((link, number) => [
      ...makingLines(link, number, numbers),
      ...(masters.has(link.id) ? portLines(link, number) : addressingLines(link, number)),
    ]),
    ...config.routes.map((route) => `route ip ${routeWords(route, [], undefined).join(' ')}`),
  ];
  return { format: '1.0', text: `${lines.join('\n')}\n`, problems: findProblems(config, facts) };
}

/** Whether a card is what a link asks for. */
export function matches(link: EthernetLink, card: NetworkCard): boolean {
  const { macAddress, driver, name } = link.match;
  if (macAddress !== undefined && macAddress !== card.macAddress) return false;
  if (driver !== undefined && !fits(driver, card.driver)) return false;
  return name === undefined || fits(name, card.name) || fits(name, card.kernelName);
}

function looseness(link: EthernetLink): number {
  const { macAddress, name } = link.match;
  if (macAddress !== undefined) return 0;
  return name !== undefined && !/[*?[]/.test(name) ? 1 : 2;
}

/** Name servers of all links are asked for all names: resolv.conf knows no other way. */
function nameServerLines(config: NetworkConfig): string[] {
  const all = [config.nameServers, ...config.links.map(({ nameServers }) => nameServers)];
  const servers = new Set(all.flatMap((each) => each.servers));
  const search = new Set(all.flatMap((each) => each.search));
  return [
    ...[...search].map((domain) => `dns search ${domain}`),
    ...[...servers].map((server) => `dns nameserver ${server}`),
  ];
}

/** How the link is found or made. `-` stands for what is not asked for. */
function makingLines(link: NetworkLink, number: number, numbers: ReadonlyMap<string, number>): string[] {
  const needed = link.optional ? 'optional' : 'required';
  const label = `${link.id.replace(/[^A-Za-z0-9._:-]/g, '_')}:${link.line}`;
  const of = (id: string): number => numbers.get(id) ?? -1;
  switch (link.kind) {
    case 'ethernet': {
      const { macAddress = '-', driver = '-', name = '-' } = link.match;
      return [
        `card ${number} ${needed} ${label} ${macAddress} ${driver} ${name === '' ? '/' : name} ${link.setName ?? '-'}`,
      ];
    }
    case 'bond':
    case 'bridge': {
      return [
        `${link.kind} ${number} ${needed} ${label} ${link.id}`,
        ...link.parameters
          .filter(({ late }) => late === undefined)
          .map(({ name, value }) => `put ${number} ${name} ${value}`),
        ...link.ports.map((port) => `port ${number} ${of(port)}`),
        ...link.parameters
          .filter(({ late }) => late === true)
          .map(({ name, value }) => `late ${number} ${name} @${of(value)}`),
      ];
    }
    case 'vlan':
      return [`vlan ${number} ${needed} ${label} ${link.id} ${of(link.link)} ${link.vlanId}`];
  }
}

/** Of a port: its addresses are its master's. */
function portLines(link: NetworkLink, number: number): string[] {
  return link.mtu === undefined ? [] : [`do ${number} ip link set @ mtu ${link.mtu}`];
}

function addressingLines(link: NetworkLink, number: number): string[] {
  const ip = (...words: readonly (string | number)[]): string => `do ${number} ip ${words.join(' ')}`;
  const lines: string[] = [];
  if (link.macAddress !== undefined)
    lines.push(ip('link set @ down'), ip('link set @ address', link.macAddress));
  if (link.mtu !== undefined) lines.push(ip('link set @ mtu', link.mtu));
  // 2: also where the machine forwards for its containers.
  if (link.acceptRa !== undefined) lines.push(`ipv6 ${number} accept_ra ${link.acceptRa ? 2 : 0}`);
  lines.push(ip('link set @ up'));
  for (const { family, address, prefix, broadcast } of link.addresses) {
    const cast =
      broadcast !== undefined
        ? ['broadcast', broadcast]
        : family === 4 && prefix < 31
          ? ['broadcast', '+']
          : [];
    lines.push(ip(`-${family} address replace`, `${address}/${prefix}`, ...cast, 'dev @'));
  }
  for (const route of link.routes) lines.push(ip(...routeWords(route, link.addresses, '@')));
  return [...lines, ...dhcpLines(link, number)];
}

function routeWords(route: Route, addresses: NetworkLink['addresses'], device: string | undefined): string[] {
  const { family, to, via, metric } = route;
  const words = [`-${family}`, 'route', 'replace', to];
  const gateway = via === undefined ? undefined : parseAddress(via);
  if (via !== undefined) words.push('via', via);
  if (device !== undefined) words.push('dev', device);
  if (metric !== undefined) words.push('metric', `${metric}`);
  // A gateway in no network of this link is taken for a neighbour all the same (Hetzner's 172.31.1.1, for one).
  const isNear = gateway === undefined || isLinkLocal(gateway) || isOnLink(gateway.text, addresses);
  if (device !== undefined && !isNear) words.push('onlink');
  return words;
}

function dhcpLines(link: NetworkLink, number: number): string[] {
  const { dhcp4Overrides: four, dhcp6Overrides: six } = link;
  const dhcp = (words: string): string => `dhcp ${number} ${words}`;
  const isFallback = link.faulty && !link.dhcp4;
  const lines: string[] = [];
  if (link.dhcp4 || isFallback) lines.push(dhcp('v4'));
  if (link.dhcp6) lines.push(dhcp('v6'));
  // The kernel does as much, but hears no name servers.
  else if (link.acceptRa === true) lines.push(dhcp('slaac'));
  if (lines.length === 0) return [];
  if (link.dhcp4) lines.push(...overrideWords(four, '4').map(dhcp));
  if (link.dhcp6) lines.push(...overrideWords(six, '6').map(dhcp));
  if (isFallback) lines.push(dhcp(`metric ${FALLBACK_METRIC}`));
  if (link.mtu !== undefined && four.useMtu !== false) lines.push(dhcp('no-mtu'));
  return lines;
}

function overrideWords(overrides: DhcpOverrides, family: '4' | '6'): string[] {
  const { useDns, useDomains, useRoutes, useMtu, sendHostname, hostname, routeMetric } = overrides;
  const words: string[] = [];
  if (useDns === false) words.push(`no-dns${family}`);
  if (useDomains === false) words.push(`no-domains${family}`);
  if (useRoutes === false) words.push('no-routes');
  if (useMtu === false) words.push('no-mtu');
  if (sendHostname === false) words.push('no-hostname');
  else if (hostname !== undefined) words.push(`hostname ${hostname}`);
  if (routeMetric !== undefined) words.push(`metric ${routeMetric}`);
  return words;
}

function findProblems(config: NetworkConfig, facts: NetworkFacts): NetworkProblem[] {
  return config.links.flatMap((link): NetworkProblem[] => {
    const { line, id } = link;
    const found: NetworkProblem[] = [];
    if (link.kind === 'ethernet') {
      if (!link.optional && !facts.cards.some((card) => matches(link, card)))
        found.push({
          line,
          kind: 'missing-card',
          message: `'${id}': this machine has no card ${described(link)}`,
        });
    } else if (!facts.modules.includes(LINK_MODULES[link.kind])) {
      const name = LINK_MODULES[link.kind];
      const remedy = `add it to the image's definition: 'kernel: {modules: [${name}]}'`;
      const message = `'${id}': the image has no kernel module '${name}'; ${remedy}`;
      found.push({ line, kind: 'missing-module', message });
    }
    if (link.dhcp6 && !facts.dhcp6) {
      const message = `'${id}': this image has no DHCPv6; addresses come from router advertisements alone`;
      found.push({ line, kind: 'no-dhcp6', message });
    }
    return found;
  });
}

function described(link: EthernetLink): string {
  const { macAddress, driver, name } = link.match;
  const parts = [
    ...(macAddress === undefined ? [] : [`with the address ${macAddress}`]),
    ...(driver === undefined ? [] : [`of the driver '${driver}'`]),
    ...(name === undefined ? [] : [`called '${name}'`]),
  ];
  return parts.join(', ');
}

/** A shell pattern, as the service's shell matches it. */
function fits(pattern: string, text: string): boolean {
  const source = pattern.replace(/\[!|[.+^${}()|\\]|\*|\?/g, (found) =>
    found === '*' ? '.*' : found === '?' ? '.' : found === '[!' ? '[^' : `\\${found}`,
  );
  try {
    return new RegExp(`^${source}$`).test(text);
  } catch {
    return pattern === text;
  }
}
