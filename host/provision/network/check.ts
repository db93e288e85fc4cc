/** What only shows between the links: names that nothing bears, a port with two masters, circles. Puts them in the order of making. */
import type { Position } from '../../../spec/located.ts';
import { INTERFACE_NAME, type LinkBase, type NetworkConfig, type NetworkLink } from './config.ts';
import { newLink, type Draft, type LinkDraft } from './draft.ts';
import { fault, type Reader } from './reader.ts';

/** More links than any machine has. */
const MAX_LINKS = 256;

export function checkLinks(reader: Reader, draft: Draft): NetworkConfig {
  const links = new Map<string, LinkDraft>();
  for (const link of draft.links) {
    if (link.id === '') continue;
    const earlier = links.get(link.id);
    if (earlier !== undefined) {
      fault(
        reader,
        link.at,
        'twice',
        `'${link.id}' stands here a second time`,
        `the first is in line ${earlier.line}`,
      );
      earlier.faulty = true;
    } else if (links.size >= MAX_LINKS) {
      fault(reader, link.at, 'many', `a machine has at most ${MAX_LINKS} interfaces`);
      break;
    } else links.set(link.id, link);
  }
  const masters = checkPorts(reader, draft, links);
  checkNames(reader, links);
  for (const link of links.values()) checkVlan(reader, link, links, draft.version);
  for (const [id, master] of masters) {
    const port = links.get(id);
    if (port === undefined || !hasAddressing(port)) continue;
    const message = `'${id}' is a port of '${master}': addresses and DHCP belong there`;
    faultOf(reader, port, port.at, 'port', message);
  }
  return {
    version: draft.version,
    links: inOrder(reader, links).map(finish),
    nameServers: draft.nameServers,
    routes: draft.routes,
  };
}

function faultOf(
  reader: Reader,
  link: LinkDraft,
  at: Position,
  code: string,
  message: string,
  hint?: string,
): void {
  fault(reader, at, code, message, hint);
  link.faulty = true;
}

/** Master by port. */
function checkPorts(reader: Reader, draft: Draft, links: Map<string, LinkDraft>): Map<string, string> {
  const masters = new Map<string, string>();
  for (const master of [...links.values()]) {
    master.ports = master.ports.filter(({ id, at }) => {
      const port = links.get(id) ?? implied(reader, draft.version, id, at, links);
      if (port === undefined) faultOf(reader, master, at, 'reference', `no interface is called '${id}' here`);
      else if (port === master) faultOf(reader, master, at, 'circle', `'${id}' cannot be a port of itself`);
      else if (masters.has(id))
        faultOf(reader, master, at, 'port', `'${id}' is a port of '${masters.get(id) ?? ''}' already`);
      else {
        masters.set(id, master.id);
        return true;
      }
      return false;
    });
    const known = new Set(master.ports.map(({ id }) => id));
    master.parameters = master.parameters.filter(({ value, late }) => {
      if (late === undefined || known.has(value)) return true;
      faultOf(reader, master, master.at, 'reference', `'${master.id}' has no port '${value}'`);
      return false;
    });
  }
  return masters;
}

/** In version 1, a name that no entry has is that of a card. */
function implied(
  reader: Reader,
  version: 1 | 2,
  id: string,
  at: Position,
  links: Map<string, LinkDraft>,
): LinkDraft | undefined {
  if (version === 2 || !INTERFACE_NAME.test(id)) return undefined;
  const link = newLink(reader, id, 'ethernet', at);
  link.match.name = id;
  links.set(id, link);
  return link;
}

/** Two links that want one name. */
function checkNames(reader: Reader, links: Map<string, LinkDraft>): void {
  const taken = new Map<string, LinkDraft>();
  for (const link of links.values()) {
    const name = link.kind === 'ethernet' ? link.setName : link.id;
    if (name === undefined) continue;
    const earlier = taken.get(name);
    if (earlier === undefined) taken.set(name, link);
    else {
      faultOf(reader, link, link.at, 'twice', `'${earlier.id}' is to be called '${name}' already`);
      link.setName = undefined;
    }
  }
}

function checkVlan(reader: Reader, link: LinkDraft, links: Map<string, LinkDraft>, version: 1 | 2): void {
  if (link.kind !== 'vlan' || link.link === undefined) return;
  const { id, at } = link.link;
  if (!links.has(id) && implied(reader, version, id, at, links) === undefined)
    faultOf(reader, link, at, 'reference', `no interface is called '${id}' here`);
}

function hasAddressing(link: LinkDraft): boolean {
  return link.dhcp4 || link.dhcp6 || link.addresses.length > 0 || link.routes.length > 0;
}

/** Each after what it stands on; those that stand on themselves are told off and left out. */
function inOrder(reader: Reader, links: ReadonlyMap<string, LinkDraft>): LinkDraft[] {
  const ordered: LinkDraft[] = [];
  const state = new Map<string, 'open' | 'made' | 'impossible'>();
  for (const link of links.values()) visit(link);
  return ordered;

  /** Whether it can be made. */
  function visit(link: LinkDraft): boolean {
    const seen = state.get(link.id);
    if (seen !== undefined) return seen === 'made';
    state.set(link.id, 'open');
    const stands = (id: string, at: Position): boolean => {
      const below = links.get(id);
      if (below === undefined) return false;
      if (state.get(id) === 'open')
        faultOf(reader, link, at, 'circle', `'${id}' stands on '${link.id}', and this on it`);
      return visit(below);
    };
    link.ports = link.ports.filter(({ id, at }) => stands(id, at));
    const stood = link.link !== undefined && stands(link.link.id, link.link.at);
    const isMade =
      link.kind === 'ethernet' ||
      (INTERFACE_NAME.test(link.id) && (link.kind !== 'vlan' || (link.vlanId !== undefined && stood)));
    state.set(link.id, isMade ? 'made' : 'impossible');
    if (isMade) ordered.push(link);
    return isMade;
  }
}

function finish(link: LinkDraft): NetworkLink {
  const base: LinkBase = {
    id: link.id,
    line: link.line,
    dhcp4: link.dhcp4,
    dhcp6: link.dhcp6,
    ...(link.acceptRa === undefined ? {} : { acceptRa: link.acceptRa }),
    addresses: link.addresses,
    routes: link.routes,
    nameServers: { servers: link.servers, search: link.search },
    ...(link.mtu === undefined ? {} : { mtu: link.mtu }),
    ...(link.macAddress === undefined ? {} : { macAddress: link.macAddress }),
    dhcp4Overrides: link.dhcp4Overrides,
    dhcp6Overrides: link.dhcp6Overrides,
    optional: link.optional,
    faulty: link.faulty,
  };
  const { kind, parameters } = link;
  const ports = link.ports.map(({ id }) => id);
  switch (kind) {
    case 'ethernet':
      return {
        ...base,
        kind,
        match: link.match,
        ...(link.setName === undefined ? {} : { setName: link.setName }),
      };
    case 'bond':
    case 'bridge':
      return { ...base, kind, ports, parameters };
    case 'vlan':
      return { ...base, kind, link: link.link?.id ?? '', vlanId: link.vlanId ?? 0 };
  }
}
