/**
 * The addresses that DigitalOcean's metadata gives a droplet, as network configuration version 2: as cloud-init's
 * `convert_network_configuration` reads `interfaces` and `dns`. Only the public card has a gateway; `anchor_ipv4` is what a reserved address
 * stands on.
 */
import type { Json } from './found.ts';
import { isMap, textOf, type JsonMap } from './meta-data.ts';

interface Address {
  /** With its prefix. */
  readonly address: string;
  readonly gateway: string | undefined;
}

/** `undefined`: the metadata names no card with an address, as of a machine that is to ask DHCP. */
export function networkConfigOf(metaData: JsonMap): string | undefined {
  const interfaces = isMap(metaData['interfaces']) ? metaData['interfaces'] : {};
  const dns = isMap(metaData['dns']) ? metaData['dns'] : {};
  const servers = (Array.isArray(dns['nameservers']) ? (dns['nameservers'] as readonly Json[]) : []).flatMap(
    (server) => textOf(server) ?? [],
  );
  const cards = [
    ...cardsOf(interfaces['public'], 'public', servers),
    ...cardsOf(interfaces['private'], 'private', []),
  ];
  if (cards.length === 0) return undefined;
  return JSON.stringify({ version: 2, ethernets: Object.fromEntries(cards) });
}

function cardsOf(
  list: Json | undefined,
  kind: 'public' | 'private',
  servers: readonly string[],
): readonly (readonly [string, Json])[] {
  if (!Array.isArray(list)) return [];
  return (list as readonly Json[]).filter(isMap).flatMap((card, index) => {
    const mac = textOf(card['mac'])?.toLowerCase();
    const found = [version4(card['ipv4']), version6(card['ipv6'])].flatMap((one) => one ?? []);
    const anchor = version4(card['anchor_ipv4']);
    if (mac === undefined || found.length === 0) return [];
    const gateways = kind === 'public' ? found.flatMap(({ gateway }) => gateway ?? []) : [];
    const entry: Record<string, Json> = {
      match: { macaddress: mac },
      addresses: [...found, ...(anchor === undefined ? [] : [anchor])].map(({ address }) => address),
      ...(gateways.length === 0 ? {} : { routes: gateways.map((via) => ({ to: 'default', via })) }),
      ...(servers.length === 0 ? {} : { nameservers: { addresses: servers } }),
    };
    return [[`${kind}${index}`, entry] as const];
  });
}

function version4(value: Json | undefined): Address | undefined {
  const address = isMap(value) ? textOf(value['ip_address']) : undefined;
  const prefix = isMap(value) ? prefixOf(textOf(value['netmask']) ?? '') : undefined;
  if (!isMap(value) || address === undefined || prefix === undefined) return undefined;
  return { address: `${address}/${prefix}`, gateway: textOf(value['gateway']) };
}

function version6(value: Json | undefined): Address | undefined {
  const address = isMap(value) ? textOf(value['ip_address']) : undefined;
  const prefix = isMap(value) ? textOf(value['cidr']) : undefined;
  if (!isMap(value) || address === undefined || prefix === undefined) return undefined;
  return { address: `${address}/${prefix}`, gateway: textOf(value['gateway']) };
}

/** Of `255.255.240.0`; what is wrong with it, the reader of network configurations says. */
function prefixOf(netmask: string): number | undefined {
  const bits = netmask
    .split('.')
    .map((byte) => Number(byte).toString(2).padStart(8, '0'))
    .join('');
  return /^1*0*$/.test(bits) && bits.length === 32 ? bits.replace(/0/g, '').length : undefined;
}
