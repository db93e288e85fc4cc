/** Version 1's `subnets`: how a link gets its addresses. */
import type { Located } from '../../../spec/located.ts';
import { parseNetwork, type IpAddress } from './address.ts';
import type { Route } from './config.ts';
import type { LinkDraft } from './draft.ts';
import { addressOf, domainsOf, fault, flagOf, listOf, readKeys, wordOf, type Reader } from './reader.ts';
import { defaultRoute, metricOf, nameServersOf, prefixOf, readRoute1 } from './routes.ts';

const TYPES = [
  'dhcp4',
  'dhcp',
  'dhcp6',
  'static',
  'static6',
  'ipv6_dhcpv6-stateful',
  'ipv6_dhcpv6-stateless',
  'ipv6_slaac',
  'manual',
] as const;
type SubnetType = (typeof TYPES)[number];

/** Where an address has no length at all, as cloud-init. */
const USUAL_PREFIX = { 4: 24, 6: 64 } as const;

export function readSubnet(reader: Reader, link: LinkDraft, node: Located): void {
  let type: SubnetType | undefined;
  let address: Located | undefined;
  let netmask: Located | undefined;
  let broadcast: IpAddress | undefined;
  let gateway: IpAddress | undefined;
  let metric: number | undefined;
  let isManual = false;
  let hasType = false;
  const routes: Route[] = [];
  const servers: string[] = [];
  const search: string[] = [];
  const inferred = (value: Located): void => void flagOf(reader, value, 'this');
  readKeys(reader, node, 'a subnet', {
    type: (value) => {
      hasType = true;
      type = wordOf(reader, value, "'type'", TYPES);
    },
    control: (value) =>
      (isManual = wordOf(reader, value, "'control'", ['manual', 'auto', 'hotplug']) === 'manual'),
    address: (value) => (address = value),
    netmask: (value) => (netmask = value),
    broadcast: (value) => (broadcast = addressOf(reader, value, "'broadcast'", 4)),
    gateway: (value) => (gateway = addressOf(reader, value, "'gateway'")),
    dns_nameservers: (value) => servers.push(...nameServersOf(reader, value, "'dns_nameservers'")),
    dns_search: (value) => search.push(...domainsOf(reader, value, "'dns_search'")),
    routes: (value) => {
      for (const item of listOf(reader, value, "'routes'")) {
        const route = readRoute1(reader, item);
        if (route !== undefined) routes.push(route);
      }
    },
    // The family is that of the type and the address, as documented.
    ipv4: inferred,
    ipv6: inferred,
    metric: (value) => (metric = metricOf(reader, value)),
  });
  // Nobody is there who would bring it up by hand.
  if (isManual) return;
  link.servers.push(...servers);
  link.search.push(...search);
  if (gateway !== undefined) link.routes.push(defaultRoute(gateway, metric));
  link.routes.push(...routes.map((route) => (metric === undefined ? route : { metric, ...route })));

  switch (type) {
    case 'dhcp':
    case 'dhcp4':
      link.dhcp4 = true;
      if (metric !== undefined) link.dhcp4Overrides = { ...link.dhcp4Overrides, routeMetric: metric };
      break;
    case 'dhcp6':
    case 'ipv6_dhcpv6-stateful':
    case 'ipv6_dhcpv6-stateless':
      link.dhcp6 = true;
      break;
    case 'ipv6_slaac':
      link.acceptRa ??= true;
      break;
    case 'static':
    case 'static6':
      readStatic();
      return;
    case 'manual':
      break;
    case undefined:
      if (address !== undefined) readStatic();
      else if (!hasType)
        fault(reader, node.at, 'subnet', "a subnet has a 'type'", `one of ${TYPES.join(', ')}`, 'warning');
      return;
  }
  if (address !== undefined)
    fault(reader, address.at, 'subnet', `a subnet of type ${type} has no address`, "only 'static' has one");

  function readStatic(): void {
    const found = address?.kind === 'scalar' ? parseNetwork(address.text) : undefined;
    if (found === undefined) {
      fault(
        reader,
        address?.at ?? node.at,
        'address',
        "a static subnet has an 'address'",
        "for example '192.0.2.10/24'",
      );
      return;
    }
    const { family, text } = found.address;
    let { prefix } = found;
    if (prefix === undefined && netmask !== undefined) {
      prefix = prefixOf(reader, netmask, family);
      if (prefix === undefined) return;
    }
    if (prefix === undefined) {
      prefix = USUAL_PREFIX[family];
      const at = address?.at ?? node.at;
      fault(
        reader,
        at,
        'address',
        `without a netmask, this network is taken for a /${prefix}`,
        `write '${text}/${prefix}'`,
        'warning',
      );
    }
    link.addresses.push({
      family,
      address: text,
      prefix,
      ...(broadcast === undefined || family === 6 ? {} : { broadcast: broadcast.text }),
    });
  }
}
