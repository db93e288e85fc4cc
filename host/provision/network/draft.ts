/** A link while it is read. */
import type { Address, LinkBase, NameServers, NetworkLink, Parameter, Route } from './config.ts';
import type { Reader } from './reader.ts';
import type { Position } from '../../../spec/located.ts';

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

export interface LinkDraft extends Writable<Omit<LinkBase, 'addresses' | 'routes' | 'nameServers'>> {
  kind: NetworkLink['kind'];
  readonly at: Position;
  addresses: Address[];
  routes: Route[];
  servers: string[];
  search: string[];
  /** Of bonds and bridges: other links, each with its place. */
  ports: { readonly id: string; readonly at: Position }[];
  parameters: Parameter[];
  match: { macAddress?: string; driver?: string; name?: string };
  setName?: string | undefined;
  link?: { readonly id: string; readonly at: Position };
  vlanId?: number;
  /** Errors before it was read. */
  readonly errorsBefore: number;
}

export interface Draft {
  readonly version: 1 | 2;
  readonly links: LinkDraft[];
  nameServers: NameServers;
  routes: Route[];
}

export function newLink(reader: Reader, id: string, kind: NetworkLink['kind'], at: Position): LinkDraft {
  return {
    id,
    kind,
    at,
    line: at.line,
    dhcp4: false,
    dhcp6: false,
    addresses: [],
    routes: [],
    servers: [],
    search: [],
    dhcp4Overrides: {},
    dhcp6Overrides: {},
    optional: false,
    faulty: false,
    ports: [],
    parameters: [],
    match: {},
    errorsBefore: reader.errors,
  };
}

/** Marks it when something of it could not be read. */
export function endLink(reader: Reader, link: LinkDraft): LinkDraft {
  if (reader.errors > link.errorsBefore) link.faulty = true;
  return link;
}
