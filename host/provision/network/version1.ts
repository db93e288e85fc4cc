/** Network configuration, version 1: a list of `physical`, `bond`, `bridge`, `vlan`, `nameserver` and `route`. */
import type { Located, LocatedMap, Position } from '../../../spec/located.ts';
import { readBondParameters1 } from './bond.ts';
import { readBridgeParameters1 } from './bridge.ts';
import { INTERFACE_NAME, type NameServers } from './config.ts';
import { endLink, newLink, type Draft, type LinkDraft } from './draft.ts';
import {
  domainsOf,
  fault,
  flagOf,
  integerOf,
  listOf,
  macOf,
  mapOf,
  NAME_HINT,
  NO_NAME_SERVERS,
  nameOf,
  readKeys,
  textOf,
  wordOf,
  type KeyReader,
  type Reader,
} from './reader.ts';
import { nameServersOf, readRoute1 } from './routes.ts';
import { readSubnet } from './subnet.ts';

const TYPES = ['physical', 'bond', 'bridge', 'vlan', 'nameserver', 'route', 'loopback'] as const;

export function readVersion1(reader: Reader, body: LocatedMap, anyway: KeyReader): Draft {
  const draft: Draft = { version: 1, links: [], nameServers: NO_NAME_SERVERS, routes: [] };
  const laterServers: { readonly name: string; readonly at: Position; readonly servers: NameServers }[] = [];
  let hasConfig = false;
  readKeys(reader, body, 'a network configuration', {
    version: anyway,
    config: (value) => {
      hasConfig = true;
      for (const item of listOf(reader, value, "'config'")) readEntry(item);
    },
  });
  if (!hasConfig) fault(reader, body.at, 'config', "version 1 has a list 'config'");
  // An interface may stand behind the entry that names it.
  for (const { name, at, servers } of laterServers) {
    const link = draft.links.find(({ id }) => id === name);
    if (link === undefined) fault(reader, at, 'reference', `no interface is called '${name}' here`);
    else {
      link.servers.push(...servers.servers);
      link.search.push(...servers.search);
    }
  }
  return draft;

  function readEntry(item: Located): void {
    const entry = mapOf(reader, item, "an entry of 'config'");
    if (entry === undefined) return;
    const written = entry.entries.get('type')?.value;
    if (written === undefined) {
      fault(reader, entry.at, 'type', "an entry of 'config' has a type", `one of ${TYPES.join(', ')}`);
      return;
    }
    if (written.kind === 'scalar' && written.text === 'infiniband') {
      fault(reader, written.at, 'unsupported', 'InfiniBand is not supported');
      return;
    }
    const type = wordOf(reader, written, "'type'", TYPES);
    if (type === undefined) return;
    if (type === 'route') {
      const route = readRoute1(reader, entry);
      if (route !== undefined) draft.routes.push(route);
    } else if (type === 'nameserver') readNameServer(entry);
    else if (type === 'loopback') readLoopback(entry, written.at);
    else draft.links.push(readInterface(reader, entry, type));
  }

  function readNameServer(entry: LocatedMap): void {
    let { servers, search } = NO_NAME_SERVERS;
    let link: { name: string; at: Position } | undefined;
    readKeys(reader, entry, 'a name server', {
      type: anyway,
      address: (value) => (servers = nameServersOf(reader, value, "'address'")),
      search: (value) => (search = domainsOf(reader, value, "'search'")),
      interface: (value) => {
        const name = textOf(reader, value, "'interface'");
        if (name !== undefined) link = { name, at: value.at };
      },
    });
    if (link !== undefined) laterServers.push({ ...link, servers: { servers, search } });
    else addServers({ servers, search });
  }

  /** The loopback interface is always there; of its entry, only name servers mean anything. */
  function readLoopback(entry: LocatedMap, at: Position): void {
    ignored1(at);
    const link = newLink(reader, 'lo', 'ethernet', at);
    readKeys(reader, entry, 'a loopback interface', {
      type: anyway,
      name: anyway,
      subnets: (value) => {
        for (const item of listOf(reader, value, "'subnets'")) {
          const isPlain = item.kind === 'map' && typeText(item) === 'loopback';
          if (!isPlain) readSubnet(reader, link, item);
          else
            for (const [key, { value: servers }] of item.entries)
              if (key === 'dns_nameservers') link.servers.push(...nameServersOf(reader, servers, key));
        }
      },
    });
    addServers({ servers: link.servers, search: link.search });
  }

  function ignored1(at: Position): void {
    fault(reader, at, 'ignored', 'the loopback interface is always there', 'leave this entry out', 'warning');
  }

  function addServers({ servers, search }: NameServers): void {
    draft.nameServers = {
      servers: [...draft.nameServers.servers, ...servers],
      search: [...draft.nameServers.search, ...search],
    };
  }
}

function typeText(item: LocatedMap): string {
  const type = item.entries.get('type')?.value;
  return type?.kind === 'scalar' ? type.text : '';
}

function readInterface(
  reader: Reader,
  entry: LocatedMap,
  type: 'physical' | 'bond' | 'bridge' | 'vlan',
): LinkDraft {
  const kind = type === 'physical' ? 'ethernet' : type;
  const link = newLink(reader, readName(reader, entry), kind, entry.at);
  const keys: Record<string, KeyReader | string> = {
    type: () => undefined,
    name: () => undefined,
    mtu: (value) => {
      if (value.kind === 'scalar' && value.value === null) return;
      const mtu = integerOf(reader, value, "'mtu'", 68, 65_535);
      if (mtu !== undefined) link.mtu = mtu;
    },
    mac_address: (value) => {
      const mac = macOf(reader, value, "'mac_address'");
      if (mac === undefined) return;
      // Of a card it is what the card is found by, and then named.
      if (kind === 'ethernet') link.match.macAddress = mac;
      else link.macAddress = mac;
    },
    subnets: (value) => {
      for (const item of listOf(reader, value, "'subnets'")) readSubnet(reader, link, item);
    },
    'accept-ra': (value) => {
      const acceptRa = flagOf(reader, value, "'accept-ra'");
      if (acceptRa !== undefined) link.acceptRa = acceptRa;
    },
  };
  if (type === 'physical') {
    keys['keep_configuration'] = 'addresses stay while the network service restarts';
    readKeys(reader, entry, 'a physical interface', keys);
    if (link.match.macAddress === undefined) link.match.name = link.id;
    else link.setName = link.id;
  } else if (type === 'bond') readBond(reader, link, entry, keys);
  else if (type === 'bridge') readBridge(reader, link, entry, keys);
  else readVlan(reader, link, entry, keys);
  return endLink(reader, link);
}

/** Names are cut where the kernel would cut them, as documented. */
function readName(reader: Reader, entry: LocatedMap): string {
  const node = entry.entries.get('name')?.value;
  if (node === undefined) {
    fault(reader, entry.at, 'name', "an interface has a 'name'");
    return '';
  }
  if (node.kind === 'scalar' && node.text.length > 15 && INTERFACE_NAME.test(node.text.slice(0, 15))) {
    const cut = node.text.slice(0, 15);
    fault(reader, node.at, 'name', `this name is cut to '${cut}'`, NAME_HINT, 'warning');
    return cut;
  }
  return nameOf(reader, node, "'name'") ?? '';
}

type Keys = Record<string, KeyReader | string>;

function readBond(reader: Reader, link: LinkDraft, entry: LocatedMap, keys: Keys): void {
  link.parameters = [{ name: 'bonding/mode', value: 'balance-rr' }];
  const slaves: KeyReader = (value) => {
    // As /etc/network/interfaces writes it: names in one text, or `none`.
    const text = textOf(reader, value, "'bond-slaves'") ?? '';
    for (const id of text.split(/[\s,]+/)) if (id !== '' && id !== 'none') addPort(link, id, value.at);
  };
  readKeys(reader, entry, 'a bond', {
    ...keys,
    bond_interfaces: (value) => readPorts(reader, link, value, "'bond_interfaces'"),
    params: (value) => (link.parameters = readBondParameters1(reader, value, slaves)),
  });
}

function readBridge(reader: Reader, link: LinkDraft, entry: LocatedMap, keys: Keys): void {
  const { mtu, mac_address: mac, ...rest } = keys;
  const superset =
    (key: string, read: KeyReader | string | undefined): KeyReader =>
    (value, keyAt) => {
      fault(reader, keyAt, 'superset', `cloud-init knows no '${key}' of a bridge`, undefined, 'warning');
      if (typeof read === 'function') read(value, keyAt);
    };
  const ports: KeyReader = (value) => readPorts(reader, link, value, "'bridge_ports'");
  readKeys(reader, entry, 'a bridge', {
    ...rest,
    mtu: superset('mtu', mtu),
    mac_address: superset('mac_address', mac),
    bridge_interfaces: (value) => readPorts(reader, link, value, "'bridge_interfaces'"),
    params: (value) => {
      const read = readBridgeParameters1(reader, value, ports);
      link.parameters = read.parameters;
      if (read.macAddress !== undefined) link.macAddress = read.macAddress;
    },
  });
  for (const key of ['bridge_interfaces', 'params'])
    if (!entry.entries.has(key))
      fault(reader, entry.at, 'missing', `cloud-init wants '${key}' of a bridge`, undefined, 'warning');
}

function readVlan(reader: Reader, link: LinkDraft, entry: LocatedMap, keys: Keys): void {
  const errors = reader.errors;
  readKeys(reader, entry, 'a VLAN', {
    ...keys,
    vlan_link: (value) => {
      const id = textOf(reader, value, "'vlan_link'");
      if (id !== undefined) link.link = { id, at: value.at };
    },
    vlan_id: (value) => {
      const id = integerOf(reader, value, "'vlan_id'", 0, 4094);
      if (id !== undefined) link.vlanId = id;
    },
  });
  if ((link.vlanId === undefined || link.link === undefined) && reader.errors === errors)
    fault(reader, entry.at, 'vlan', "a VLAN has 'vlan_link' and 'vlan_id'");
}

function readPorts(reader: Reader, link: LinkDraft, node: Located, what: string): void {
  for (const item of listOf(reader, node, what)) {
    const id = textOf(reader, item, 'a port');
    if (id !== undefined) addPort(link, id, item.at);
  }
}

function addPort(link: LinkDraft, id: string, at: Position): void {
  if (!link.ports.some((port) => port.id === id)) link.ports.push({ id, at });
}
