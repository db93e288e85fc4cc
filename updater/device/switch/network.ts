/**
 * The gate `network` (decisions.md 17). Before the restart into a trial, what works is recorded; in the trial all of that must work again, for as long as there is
 * a carrier: a pulled cable or a dead router's power supply never rolls back a good update.
 */
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import { RECORD_LIMITS, type NetworkFacts } from './record-content.ts';

const CLASS = '/sys/class/net';

type InterfaceFacts = NetworkFacts['interfaces'][number];

/** Interfaces with a carrier: what they have, and whether their router answers. */
export async function networkFacts(system: System): Promise<NetworkFacts> {
  const interfaces: InterfaceFacts[] = [];
  for (const name of [...system.list(CLASS)].sort()) {
    if (name === 'lo' || !isHardware(system, name) || !hasCarrier(system, name)) continue;
    interfaces.push(await interfaceFacts(system, name));
  }
  return { interfaces: interfaces.slice(0, RECORD_LIMITS.interfaces) };
}

export interface MissingNetwork {
  readonly interface: string;
  readonly what: string;
}

/** What worked before and does not now. */
export async function missingNetwork(
  system: System,
  before: NetworkFacts,
): Promise<readonly MissingNetwork[]> {
  const missing: MissingNetwork[] = [];
  for (const old of before.interfaces) {
    if (system.status(`${CLASS}/${old.name}`) === undefined) {
      missing.push({ interface: old.name, what: 'is not there' });
      continue;
    }
    // The cable is out, or nothing has taken the interface up: only the latter is this version's fault.
    if (!hasCarrier(system, old.name)) {
      if (!isUp(system, old.name)) missing.push({ interface: old.name, what: 'is down' });
      continue;
    }
    const now = await interfaceFacts(system, old.name);
    if (old.ipv4 && !now.ipv4) missing.push({ interface: old.name, what: 'has no IPv4 address' });
    else if (old.ipv6 && !now.ipv6) missing.push({ interface: old.name, what: 'has no IPv6 address' });
    else if (old.gateway && !now.gateway)
      missing.push({ interface: old.name, what: 'does not reach its router' });
  }
  return missing;
}

async function interfaceFacts(system: System, name: string): Promise<InterfaceFacts> {
  const addresses = await output(system, [
    'busybox',
    'ip',
    '-o',
    'address',
    'show',
    'dev',
    name,
    'scope',
    'global',
  ]);
  const ipv4 = / inet \d/.test(addresses);
  return {
    name,
    ipv4,
    ipv6: / inet6 /.test(addresses),
    gateway: ipv4 && (await gatewayAnswers(system, name)),
  };
}

/** By ARP, which no packet filter eats. */
async function gatewayAnswers(system: System, name: string): Promise<boolean> {
  const routes = await output(system, ['busybox', 'ip', '-4', 'route', 'show', 'dev', name]);
  const gateway = /^default via (\d+\.\d+\.\d+\.\d+)/m.exec(routes)?.[1];
  if (gateway === undefined) return false;
  const argv = ['busybox', 'arping', '-f', '-q', '-c', '3', '-w', '4', '-I', name, gateway];
  return (await runProgram(system, argv)).code === 0;
}

/** Not a bridge or tunnel that some service makes: those are that service's business. */
function isHardware(system: System, name: string): boolean {
  return system.status(`${CLASS}/${name}/device`) !== undefined;
}

function hasCarrier(system: System, name: string): boolean {
  // Of an interface that is down, this cannot be read.
  return system.readText(`${CLASS}/${name}/carrier`)?.trim() === '1';
}

function isUp(system: System, name: string): boolean {
  return (Number(system.readText(`${CLASS}/${name}/flags`)?.trim() ?? '0') & 1) === 1;
}

async function output(system: System, argv: readonly string[]): Promise<string> {
  return system.decode((await runProgram(system, argv)).stdout);
}
