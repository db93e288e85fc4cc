/** Network configuration, version 2 (netplan's form): ethernets, bonds, bridges, vlans, by their ids. */
import type { Located, LocatedMap, Position } from '../../../spec/located.ts';
import { readBondParameters2 } from './bond.ts';
import { readBridgeParameters2 } from './bridge.ts';
import { INTERFACE_NAME, type NetworkLink } from './config.ts';
import { endLink, newLink, type Draft, type LinkDraft } from './draft.ts';
import {
  fault,
  flagOf,
  integerOf,
  listOf,
  macOf,
  mapOf,
  NAME_HINT,
  nameOf,
  NO_NAME_SERVERS,
  readKeys,
  textOf,
  type KeyReader,
  type Reader,
} from './reader.ts';
import { readAddress, readGateway, readNameServers, readOverrides, readRoute2 } from './routes.ts';

const RENDERER = 'the network service of the image is the only one there is';
const NO_SUCH = 'machines have Ethernet cards here, and bonds, bridges and VLANs of them';

export function readVersion2(reader: Reader, body: LocatedMap, anyway: KeyReader): Draft {
  const links: LinkDraft[] = [];
  const section =
    (kind: NetworkLink['kind'], name: string, read: LinkReader): KeyReader =>
    (value) => {
      // `ethernets:` with nothing below it.
      if (isEmpty(reader, value, `'${name}'`)) return;
      for (const [id, entry] of mapOf(reader, value, `'${name}'`)?.entries ?? []) {
        const link = newLink(reader, id, kind, entry.keyAt);
        read(reader, link, entry.value, entry.keyAt);
        links.push(endLink(reader, link));
      }
    };
  const unsupported: KeyReader = (_value, keyAt) =>
    fault(reader, keyAt, 'unsupported', `such links are not supported: ${NO_SUCH}`);
  readKeys(reader, body, 'a network configuration', {
    version: anyway,
    renderer: RENDERER,
    ethernets: section('ethernet', 'ethernets', readEthernet),
    bonds: section('bond', 'bonds', readBond),
    bridges: section('bridge', 'bridges', readBridge),
    vlans: section('vlan', 'vlans', readVlan),
    wifis: unsupported,
    modems: unsupported,
    tunnels: unsupported,
    vrfs: unsupported,
    'dummy-devices': unsupported,
    'virtual-ethernets': unsupported,
    'nm-devices': unsupported,
  });
  return { version: 2, links, nameServers: NO_NAME_SERVERS, routes: [] };
}

type LinkReader = (reader: Reader, link: LinkDraft, node: Located, keyAt: Position) => void;

function readEthernet(reader: Reader, link: LinkDraft, node: Located, keyAt: Position): void {
  let hasMatch = false;
  readLink(reader, link, node, 'an Ethernet card', {
    match: (value, at) => {
      hasMatch = true;
      readMatch(reader, link, value, at);
    },
    'set-name': (value) => (link.setName = nameOf(reader, value, "'set-name'")),
    wakeonlan: 'a machine does not set up how it is woken',
  });
  if (!hasMatch) {
    // Without a match, the id is the name.
    if (link.setName !== undefined) {
      const hint = "add 'match: {macaddress: ...}'";
      fault(
        reader,
        keyAt,
        'match',
        "'set-name' needs a 'match', so that it is known which card it names",
        hint,
      );
      link.setName = undefined;
    }
    checkName(reader, link, keyAt);
    // One that cannot be a name fits no card.
    link.match.name = INTERFACE_NAME.test(link.id) ? link.id : '';
  }
}

function readMatch(reader: Reader, link: LinkDraft, node: Located, keyAt: Position): void {
  const errors = reader.errors;
  const pattern = (value: Located, what: string): string | undefined => {
    const text = textOf(reader, value, what);
    if (text === undefined || /^[A-Za-z0-9_.*?[\]!-]{1,64}$/.test(text)) return text;
    fault(reader, value.at, 'value', `${what} is a name, or a pattern with *, ? and [...]`);
    return undefined;
  };
  readKeys(reader, node, "'match'", {
    macaddress: (value) => {
      const macAddress = macOf(reader, value, "'macaddress'");
      if (macAddress !== undefined) link.match.macAddress = macAddress;
    },
    driver: (value) => {
      const driver = pattern(value, "'driver'");
      if (driver !== undefined) link.match.driver = driver;
    },
    name: (value) => {
      const name = pattern(value, "'name'");
      if (name !== undefined) link.match.name = name;
    },
  });
  if (reader.errors > errors) {
    // What remains of it could match cards that were not meant.
    link.match = { name: '' };
  } else if (Object.keys(link.match).length === 0) {
    fault(
      reader,
      keyAt,
      'match',
      "an empty 'match' is every card",
      'say so: \'match: {name: "*"}\'',
      'warning',
    );
    link.match.name = '*';
  }
}

function readBond(reader: Reader, link: LinkDraft, node: Located, keyAt: Position): void {
  checkName(reader, link, keyAt);
  link.parameters = [{ name: 'bonding/mode', value: 'balance-rr' }];
  readLink(reader, link, node, 'a bond', {
    interfaces: (value) => readPorts(reader, link, value, "'interfaces'"),
    parameters: (value) => (link.parameters = readBondParameters2(reader, value)),
  });
}

function readBridge(reader: Reader, link: LinkDraft, node: Located, keyAt: Position): void {
  checkName(reader, link, keyAt);
  let parameters: Located | undefined;
  readLink(reader, link, node, 'a bridge', {
    interfaces: (value) => readPorts(reader, link, value, "'interfaces'"),
    parameters: (value) => (parameters = value),
  });
  link.parameters = readBridgeParameters2(reader, parameters);
}

function readVlan(reader: Reader, link: LinkDraft, node: Located, keyAt: Position): void {
  checkName(reader, link, keyAt);
  const errors = reader.errors;
  readLink(reader, link, node, 'a VLAN', {
    id: (value) => {
      const id = integerOf(reader, value, "a VLAN's 'id'", 0, 4094);
      if (id !== undefined) link.vlanId = id;
    },
    link: (value) => {
      const id = textOf(reader, value, "'link'");
      if (id !== undefined) link.link = { id, at: value.at };
    },
  });
  if ((link.vlanId === undefined || link.link === undefined) && reader.errors === errors)
    fault(reader, keyAt, 'vlan', "a VLAN has 'id' and 'link'");
}

/** What all links may have, and what this kind has beside. */
function readLink(
  reader: Reader,
  link: LinkDraft,
  node: Located,
  what: string,
  own: Readonly<Record<string, KeyReader | string>>,
): void {
  // `eth0:` with nothing below it.
  if (isEmpty(reader, node, `'${link.id}'`)) return;
  const gateway =
    (family: 4 | 6): KeyReader =>
    (value, keyAt) => {
      const route = readGateway(reader, value, keyAt, family);
      if (route !== undefined) link.routes.push(route);
    };
  readKeys(reader, node, what, {
    ...own,
    renderer: RENDERER,
    dhcp4: (value) => (link.dhcp4 = flagOf(reader, value, "'dhcp4'") ?? false),
    dhcp6: (value) => (link.dhcp6 = flagOf(reader, value, "'dhcp6'") ?? false),
    'dhcp4-overrides': (value) => (link.dhcp4Overrides = readOverrides(reader, value, 4)),
    'dhcp6-overrides': (value) => (link.dhcp6Overrides = readOverrides(reader, value, 6)),
    'accept-ra': (value) => {
      const acceptRa = flagOf(reader, value, "'accept-ra'");
      if (acceptRa !== undefined) link.acceptRa = acceptRa;
    },
    addresses: (value) => {
      for (const item of listOf(reader, value, "'addresses'")) {
        const address = readAddress(reader, item);
        if (address !== undefined) link.addresses.push(address);
      }
    },
    gateway4: gateway(4),
    gateway6: gateway(6),
    routes: (value) => {
      for (const item of listOf(reader, value, "'routes'")) {
        const route = readRoute2(reader, item);
        if (route !== undefined) link.routes.push(route);
      }
    },
    nameservers: (value) => {
      const { servers, search } = readNameServers(reader, value);
      link.servers.push(...servers);
      link.search.push(...search);
    },
    macaddress: (value) => {
      const macAddress = macOf(reader, value, "'macaddress'");
      if (macAddress !== undefined) link.macAddress = macAddress;
    },
    mtu: (value) => {
      const mtu = integerOf(reader, value, "'mtu'", 68, 65_535);
      if (mtu !== undefined) link.mtu = mtu;
    },
    optional: (value) => (link.optional = flagOf(reader, value, "'optional'") ?? false),
    ...NETPLAN_ONLY,
  });
}

/** Keys of netplan that cloud-init passes on, and that change nothing that a machine's owner would miss. */
const NETPLAN_ONLY: Readonly<Record<string, string>> = {
  critical: 'addresses stay while the network service restarts',
  'dhcp-identifier': 'the identity towards DHCP servers is that of the card',
  'ipv6-privacy': 'addresses are stable, and say nothing about the card',
  'ignore-carrier': 'static addresses stay without a carrier',
  'optional-addresses': 'a boot waits for no address',
  'emit-lldp': 'LLDP is not sent',
  'receive-checksum-offload': 'offloads stay as the driver sets them',
  'transmit-checksum-offload': 'offloads stay as the driver sets them',
  'tcp-segmentation-offload': 'offloads stay as the driver sets them',
  'generic-segmentation-offload': 'offloads stay as the driver sets them',
  'generic-receive-offload': 'offloads stay as the driver sets them',
  'large-receive-offload': 'offloads stay as the driver sets them',
};

function readPorts(reader: Reader, link: LinkDraft, node: Located, what: string): void {
  for (const item of listOf(reader, node, what)) {
    const id = textOf(reader, item, 'a port');
    if (id !== undefined) link.ports.push({ id, at: item.at });
  }
}

/** netplan takes it, cloud-init's schema does not. */
function isEmpty(reader: Reader, node: Located, what: string): boolean {
  if (node.kind !== 'scalar' || node.value !== null) return false;
  fault(reader, node.at, 'empty', `there is nothing below ${what}`, 'write {}, or leave it out', 'warning');
  return true;
}

function checkName(reader: Reader, link: LinkDraft, keyAt: Position): void {
  if (!INTERFACE_NAME.test(link.id))
    fault(reader, keyAt, 'name', `'${link.id}' cannot be the name of an interface`, NAME_HINT);
}
