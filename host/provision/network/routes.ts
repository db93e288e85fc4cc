/** Addresses, routes, name servers and DHCP's overrides, as both versions write them. */
import type { Located, Position } from '../../../spec/located.ts';
import { networkOf, parseAddress, parseNetwork, parsePrefix, type IpAddress } from './address.ts';
import type { Address, DhcpOverrides, NameServers, Route } from './config.ts';
import {
  addressOf,
  domainsOf,
  fault,
  flagOf,
  integerOf,
  NO_NAME_SERVERS,
  readKeys,
  serversOf,
  textOf,
  type KeyReader,
  type Reader,
} from './reader.ts';

const MOST_METRIC = 4_294_967_295;

export function metricOf(reader: Reader, node: Located): number | undefined {
  return integerOf(reader, node, 'a metric', 0, MOST_METRIC);
}

/** Version 2: ADDRESS/PREFIX. */
export function readAddress(reader: Reader, node: Located): Address | undefined {
  const found = node.kind === 'scalar' ? parseNetwork(node.text) : undefined;
  if (found === undefined || found.prefix === undefined) {
    const hint =
      found === undefined ? "for example '192.0.2.10/24'" : "add the network's length, such as /24";
    fault(reader, node.at, 'address', 'an address is written ADDRESS/PREFIX', hint);
    return undefined;
  }
  return { family: found.address.family, address: found.address.text, prefix: found.prefix };
}

/** A default route through a gateway. */
export function defaultRoute(gateway: IpAddress, metric?: number): Route {
  return {
    family: gateway.family,
    to: 'default',
    via: gateway.text,
    ...(metric === undefined ? {} : { metric }),
  };
}

/** Version 2's `routes`: to, via, metric. */
export function readRoute2(reader: Reader, node: Located): Route | undefined {
  let to: Located | undefined;
  let via: IpAddress | undefined;
  let metric: number | undefined;
  const errors = reader.errors;
  readKeys(reader, node, 'a route', {
    to: (value) => (to = value),
    via: (value) => (via = addressOf(reader, value, "'via'")),
    metric: (value) => (metric = metricOf(reader, value)),
    'on-link': 'whether a gateway is on the link itself is found from its address',
  });
  if (reader.errors > errors) return undefined;
  if (to === undefined) {
    fault(reader, node.at, 'route', "a route has 'to'", "'to: default' for the default route");
    return undefined;
  }
  return routeTo(reader, to, undefined, via, metric);
}

/** Version 1's: network or destination, netmask, gateway, metric. */
export function readRoute1(reader: Reader, node: Located): Route | undefined {
  let to: Located | undefined;
  let network: Located | undefined;
  let mask: Located | undefined;
  let via: IpAddress | undefined;
  let metric: number | undefined;
  const errors = reader.errors;
  readKeys(reader, node, 'a route', {
    type: () => undefined,
    destination: (value) => (to = value),
    network: (value) => (network = value),
    netmask: (value) => (mask = value),
    gateway: (value) => (via = addressOf(reader, value, "'gateway'")),
    metric: (value) => (metric = metricOf(reader, value)),
  });
  if (reader.errors > errors) return undefined;
  if (to !== undefined && network !== undefined) {
    fault(reader, network.at, 'route', "a route has 'destination' or 'network', not both");
    return undefined;
  }
  const target = to ?? network;
  if (target === undefined || via === undefined) {
    fault(reader, node.at, 'route', "a route has 'destination' and 'gateway'");
    return undefined;
  }
  return routeTo(reader, target, mask, via, metric);
}

function routeTo(
  reader: Reader,
  to: Located,
  mask: Located | undefined,
  via: IpAddress | undefined,
  metric: number | undefined,
): Route | undefined {
  const rest = {
    ...(via === undefined ? {} : { via: via.text }),
    ...(metric === undefined ? {} : { metric }),
  };
  const text = to.kind === 'scalar' ? to.text : '';
  if (text === 'default') return { family: via?.family ?? 4, to: 'default', ...rest };
  const found = parseNetwork(text);
  if (found === undefined) {
    fault(reader, to.at, 'address', 'a route leads to `default`, or to ADDRESS/PREFIX');
    return undefined;
  }
  const { family } = found.address;
  const prefix =
    found.prefix ?? (mask === undefined ? (family === 4 ? 32 : 128) : prefixOf(reader, mask, family));
  if (prefix === undefined) return undefined;
  if (via !== undefined && via.family !== family) {
    fault(
      reader,
      to.at,
      'family',
      `an IPv${family} route goes through an IPv${family} gateway, not ${via.text}`,
    );
    return undefined;
  }
  return { family, to: prefix === 0 ? 'default' : networkOf(found.address, prefix), ...rest };
}

export function prefixOf(reader: Reader, node: Located, family: 4 | 6): number | undefined {
  const prefix = node.kind === 'scalar' ? parsePrefix(node.text, family) : undefined;
  if (prefix === undefined)
    fault(
      reader,
      node.at,
      'netmask',
      `expected a netmask, such as ${family === 4 ? '255.255.255.0 or 24' : '64'}`,
    );
  return prefix;
}

/** Version 2's `nameservers`. */
export function readNameServers(reader: Reader, node: Located): NameServers {
  let { servers, search } = NO_NAME_SERVERS;
  readKeys(reader, node, "'nameservers'", {
    addresses: (value) => (servers = serversOf(reader, value, "'addresses'")),
    search: (value) => (search = domainsOf(reader, value, "'search'")),
  });
  return { servers, search };
}

/** Version 2's `gateway4`, `gateway6`. */
export function readGateway(
  reader: Reader,
  node: Located,
  keyAt: Position,
  family: 4 | 6,
): Route | undefined {
  const gateway = addressOf(reader, node, `'gateway${family}'`, family);
  if (gateway === undefined) return undefined;
  const hint = `write 'routes: [{to: ${family === 4 ? 'default' : '"::/0"'}, via: ${quoted(gateway.text)}}]'`;
  fault(reader, keyAt, 'deprecated', `'gateway${family}' is deprecated`, hint, 'warning');
  return defaultRoute(gateway);
}

function quoted(address: string): string {
  return address.includes(':') ? `'${address}'` : address;
}

const NOT_FOR_6 = 'with DHCPv6, routes and the MTU come from router advertisements';

/** `dhcp4-overrides`, `dhcp6-overrides`. */
export function readOverrides(reader: Reader, node: Located, family: 4 | 6): DhcpOverrides {
  const found: { -readonly [Key in keyof DhcpOverrides]: DhcpOverrides[Key] | undefined } = {};
  /** What is never taken from DHCP may be turned off, and not on. */
  const never =
    (key: string, reason: string): KeyReader =>
    (value, keyAt) => {
      if (flagOf(reader, value, `'${key}'`) === true)
        fault(reader, keyAt, 'ignored', reason, undefined, 'warning');
    };
  const both: Record<string, KeyReader | string> = {
    'use-dns': (value) => (found.useDns = flagOf(reader, value, "'use-dns'")),
    'use-domains': (value) => {
      // `route` would ask the servers for these domains alone, which resolv.conf cannot say.
      const isRoute = value.kind === 'scalar' && value.text === 'route';
      if (isRoute)
        fault(reader, value.at, 'ignored', "'use-domains: route' acts as 'false' here", undefined, 'warning');
      found.useDomains = isRoute ? false : flagOf(reader, value, "'use-domains'");
    },
    'use-hostname': never('use-hostname', 'the name of a machine never comes from DHCP'),
    'use-ntp': never('use-ntp', "time servers come from the image and from 'ntp:', never from DHCP"),
  };
  const only4: Record<string, KeyReader | string> = {
    hostname: (value) => {
      const name = textOf(reader, value, "'hostname'");
      if (name !== undefined && /^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/.test(name)) found.hostname = name;
      else if (name !== undefined)
        fault(reader, value.at, 'hostname', "'hostname' is letters, digits, dots, dashes");
    },
    'send-hostname': (value) => (found.sendHostname = flagOf(reader, value, "'send-hostname'")),
    'route-metric': (value) => (found.routeMetric = metricOf(reader, value)),
    'use-mtu': (value) => (found.useMtu = flagOf(reader, value, "'use-mtu'")),
    'use-routes': (value) => (found.useRoutes = flagOf(reader, value, "'use-routes'")),
  };
  const keys =
    family === 4
      ? { ...both, ...only4 }
      : { ...both, ...Object.fromEntries(Object.keys(only4).map((key) => [key, NOT_FOR_6])) };
  readKeys(reader, node, `'dhcp${family}-overrides'`, keys);
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** Whether an address can be reached without a router, from these addresses. */
export function isOnLink(gateway: string, addresses: readonly Address[]): boolean {
  const parsed = parseAddress(gateway);
  if (parsed === undefined) return false;
  return addresses.some(({ family, address, prefix }) => {
    const own = parseAddress(address);
    return (
      family === parsed.family && own !== undefined && networkOf(own, prefix) === networkOf(parsed, prefix)
    );
  });
}

/** Version 1's name servers: a list, or as many write it, one text. */
export function nameServersOf(reader: Reader, node: Located, what: string): readonly string[] {
  if (node.kind !== 'scalar') return serversOf(reader, node, what);
  const words = node.text.split(/[\s,]+/).filter((word) => word !== '');
  return words.flatMap((word) => {
    const address = parseAddress(word);
    if (address === undefined) fault(reader, node.at, 'address', `${what} is a list of IP addresses`);
    return address?.text ?? [];
  });
}
