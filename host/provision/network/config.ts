/**
 * What a network configuration document says, in one form for both of its versions: a list of links in the order in which they can be
 * made (what a bond, bridge or VLAN stands on comes before it). Plain JSON, immutable.
 *
 * Versions 1 and 2 are cloud-init's: https://docs.cloud-init.io/en/latest/reference/network-config-format-v1.html and -v2.html
 */

export interface NetworkConfig {
  readonly version: 1 | 2;
  readonly links: readonly NetworkLink[];
  /** Of the whole machine (version 1's entries without `interface`). */
  readonly nameServers: NameServers;
  /** Of the whole machine (version 1's `type: route`). */
  readonly routes: readonly Route[];
}

export type NetworkLink = EthernetLink | BondLink | BridgeLink | VlanLink;

export interface LinkBase {
  /** As the document calls it; other links name it by this. */
  readonly id: string;
  /** Where it begins in the document; from 1. */
  readonly line: number;
  readonly dhcp4: boolean;
  readonly dhcp6: boolean;
  /** Router advertisements; `undefined` leaves it to the kernel, which hears them unless it forwards. */
  readonly acceptRa?: boolean;
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly nameServers: NameServers;
  readonly mtu?: number;
  /** What it is to be set to, not what it is found by. */
  readonly macAddress?: string;
  readonly dhcp4Overrides: DhcpOverrides;
  readonly dhcp6Overrides: DhcpOverrides;
  /** Its absence, or having no cable, is no fault. */
  readonly optional: boolean;
  /** Something of it could not be read: it gets DHCP too, so that the machine can be reached. */
  readonly faulty: boolean;
}

export interface EthernetLink extends LinkBase {
  readonly kind: 'ethernet';
  /** All that are given must hold. Several cards may match. */
  readonly match: {
    readonly macAddress?: string;
    /** Shell patterns. */
    readonly driver?: string;
    readonly name?: string;
  };
  readonly setName?: string;
}

export interface BondLink extends LinkBase {
  readonly kind: 'bond';
  readonly ports: readonly string[];
  /** In the order in which the kernel takes them. */
  readonly parameters: readonly Parameter[];
}

export interface BridgeLink extends LinkBase {
  readonly kind: 'bridge';
  readonly ports: readonly string[];
  readonly parameters: readonly Parameter[];
}

export interface VlanLink extends LinkBase {
  readonly kind: 'vlan';
  readonly link: string;
  readonly vlanId: number;
}

/** A file below the link's directory in /sys/class/net and what goes into it. */
export interface Parameter {
  readonly name: string;
  readonly value: string;
  /** The value is the id of a port, which must be in it by then. */
  readonly late?: true;
}

export interface Address {
  readonly family: 4 | 6;
  /** As RFC 5952 writes it. */
  readonly address: string;
  readonly prefix: number;
  readonly broadcast?: string;
}

export interface Route {
  readonly family: 4 | 6;
  /** `default`, or ADDRESS/PREFIX. */
  readonly to: string;
  /** Without one, whatever it leads to is on the link itself. */
  readonly via?: string;
  readonly metric?: number;
}

export interface NameServers {
  readonly servers: readonly string[];
  readonly search: readonly string[];
}

/** Each: as DHCP does by itself, unless told. */
export interface DhcpOverrides {
  readonly useDns?: boolean;
  readonly useDomains?: boolean;
  readonly useRoutes?: boolean;
  readonly useMtu?: boolean;
  readonly sendHostname?: boolean;
  readonly hostname?: string;
  readonly routeMetric?: number;
}

/** What the kernel takes as the name of an interface, and no shell or configuration file takes for anything else. */
export const INTERFACE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,14}$/;
