/** What a plan must know of the machine: its cards, and what its kernel and its network service can do. */
import type { System } from '../../../system/system.ts';
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import { LINK_MODULES, type NetworkCard, type NetworkFacts } from './plan.ts';
import { NETWORK_PATHS } from './paths.ts';

const CLASS = '/sys/class/net';
const TYPE_ETHERNET = '1';

export function readNetworkFacts(system: System): NetworkFacts {
  const names = kernelNames(system);
  const cards = [...system.list(CLASS)].sort().flatMap((name) => readCard(system, name, names) ?? []);
  return { cards, modules: readModules(system), dhcp6: hasDhcp6(system) };
}

function readCard(system: System, name: string, names: ReadonlyMap<string, string>): NetworkCard | undefined {
  const path = `${CLASS}/${name}`;
  const text = (file: string): string => system.readText(`${path}/${file}`)?.trim() ?? '';
  if (system.status(`${path}/device`) === undefined || text('type') !== TYPE_ETHERNET) return undefined;
  const driver = system.readLink(`${path}/device/driver`)?.split('/').pop() ?? '';
  const recorded = system.readText(`${NETWORK_PATHS.state}/permanent.${text('ifindex')}`)?.trim();
  // Of a port in a bond, `address` is the bond's.
  const permanent = text('bonding_slave/perm_hwaddr');
  const macAddress = permanent !== '' ? permanent : (recorded ?? text('address'));
  return { name, kernelName: names.get(name) ?? name, macAddress: macAddress.toLowerCase(), driver };
}

/** By present name, what `name-cards` found. */
function kernelNames(system: System): ReadonlyMap<string, string> {
  const lines = (system.readText(NETWORK_PATHS.kernelNames) ?? '').split('\n');
  return new Map(
    lines.flatMap((line) => {
      const [kernelName, name] = line.split(' ');
      return kernelName !== undefined && name !== undefined ? [[name, kernelName] as const] : [];
    }),
  );
}

function readModules(system: System): readonly string[] {
  const release = system.readText('/proc/sys/kernel/osrelease')?.trim() ?? '';
  const directory = `/usr/lib/modules/${release}`;
  const listed = ['modules.dep', 'modules.builtin'].map(
    (file) => system.readText(`${directory}/${file}`) ?? '',
  );
  return Object.values(LINK_MODULES).filter(
    (name) =>
      system.status(`/sys/module/${name}`) !== undefined ||
      listed.some((text) => new RegExp(`^\\S*/${name}\\.ko\\b`, 'm').test(text)),
  );
}

function hasDhcp6(system: System): boolean {
  const root = `${MACHINE_PATHS.containers}/network/rootfs`;
  return system.status(`${root}/usr/sbin/dhcpcd`) !== undefined;
}
