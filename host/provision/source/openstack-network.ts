/** OpenStack's network_data.json as network configuration version 2; nova's network_data schema, as cloud-init's convert_net_json reads it. */
import type { Json } from './found.ts';
import { isMap, textOf, type JsonMap } from './meta-data.ts';

interface Device {
  readonly [key: string]: Json;
}

/** JSON, which is YAML too. */
export function networkConfigOf(data: JsonMap): string {
  const links = maps(data['links']);
  const networks = maps(data['networks']);
  const servers = maps(data['services'])
    .filter((service) => service['type'] === 'dns')
    .flatMap((service) => textOf(service['address']) ?? []);
  const ethernets: Record<string, Device> = {};
  const bonds: Record<string, Device> = {};
  const vlans: Record<string, Device> = {};
  for (const link of links) {
    const id = textOf(link['id']) ?? '';
    if (!/^[\w.-]{1,64}$/.test(id)) continue;
    const common = {
      ...addressing(
        networks.filter((network) => network['link'] === id),
        servers,
      ),
      ...mtuOf(link),
    };
    const mac = textOf(link['ethernet_mac_address'])?.toLowerCase();
    const vlanMac = textOf(link['vlan_mac_address'])?.toLowerCase();
    const type = textOf(link['type']);
    if (type === 'bond')
      bonds[id] = {
        ...common,
        interfaces: Array.isArray(link['bond_links']) ? link['bond_links'] : [],
        ...(mac === undefined ? {} : { macaddress: mac }),
        parameters: bondParameters(link),
      };
    else if (type === 'vlan')
      vlans[id] = {
        ...common,
        id: link['vlan_id'] ?? 0,
        link: link['vlan_link'] ?? '',
        ...(vlanMac === undefined ? {} : { macaddress: vlanMac }),
      };
    else if (mac !== undefined) ethernets[id] = { match: { macaddress: mac }, ...common };
  }
  const section = (name: string, devices: Record<string, Device>): Record<string, Json> =>
    Object.keys(devices).length === 0 ? {} : { [name]: devices };
  return JSON.stringify({
    version: 2,
    ...section('ethernets', ethernets),
    ...section('bonds', bonds),
    ...section('vlans', vlans),
  });
}

function addressing(networks: readonly JsonMap[], servers: readonly string[]): Record<string, Json> {
  const addresses: string[] = [];
  const routes: Json[] = [];
  const nameservers: string[] = [];
  let dhcp4 = false;
  let dhcp6 = false;
  for (const network of networks) {
    const type = textOf(network['type']) ?? '';
    if (type === 'ipv4_dhcp') dhcp4 = true;
    // Router advertisements alone are the kernel's work.
    else if (['ipv6_dhcp', 'ipv6_dhcpv6-stateful', 'ipv6_dhcpv6-stateless'].includes(type)) dhcp6 = true;
    else if (type === 'ipv4' || type === 'ipv6') {
      const address = withPrefix(textOf(network['ip_address']), textOf(network['netmask']));
      if (address !== undefined) addresses.push(address);
      for (const route of maps(network['routes'])) {
        const to = withPrefix(textOf(route['network']), textOf(route['netmask']));
        const via = textOf(route['gateway']);
        if (to !== undefined && via !== undefined) routes.push({ to, via });
      }
    }
    for (const service of maps(network['services']))
      if (service['type'] === 'dns') nameservers.push(...[textOf(service['address']) ?? []].flat());
  }
  const resolvers = [...new Set([...nameservers, ...(networks.length === 0 ? [] : servers)])];
  return {
    dhcp4,
    dhcp6,
    ...(addresses.length === 0 ? {} : { addresses }),
    ...(routes.length === 0 ? {} : { routes }),
    ...(resolvers.length === 0 ? {} : { nameservers: { addresses: resolvers } }),
  };
}

function mtuOf(link: JsonMap): Record<string, Json> {
  return typeof link['mtu'] === 'number' ? { mtu: link['mtu'] } : {};
}

function bondParameters(link: JsonMap): Record<string, Json> {
  const names = [
    ['bond_mode', 'mode'],
    ['bond_miimon', 'mii-monitor-interval'],
    ['bond_xmit_hash_policy', 'transmit-hash-policy'],
  ] as const;
  return Object.fromEntries(
    names.flatMap(([from, to]) => {
      const value = link[from];
      return value === undefined || value === null
        ? []
        : [[to, typeof value === 'string' ? value : Number(value)]];
    }),
  );
}

/** `10.0.0.5` and `255.255.255.0` to `10.0.0.5/24`; what has its prefix keeps it. */
export function withPrefix(address: string | undefined, mask: string | undefined): string | undefined {
  if (address === undefined || address.includes('/')) return address;
  if (mask === undefined) return `${address}/${address.includes(':') ? 128 : 32}`;
  if (/^\d{1,3}$/.test(mask)) return `${address}/${mask}`;
  const bits = mask.includes(':')
    ? mask.split(':').map((group) => parseInt(group || '0', 16).toString(2))
    : mask.split('.').map((octet) => Number(octet).toString(2));
  return `${address}/${bits.join('').replaceAll('0', '').length}`;
}

function maps(value: Json | undefined): readonly JsonMap[] {
  return Array.isArray(value) ? (value as readonly Json[]).filter(isMap) : [];
}
