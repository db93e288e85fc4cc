/**
 * The network services with a plan, with the machine's own busybox and dhcpcd, on cards in namespaces (pairs of veth; the other ends
 * are in a second namespace, where busybox's DHCP server answers).
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { beforeAll, describe, expect, test } from 'vitest';
import { readLock } from '../../builder/lock/lock-file.ts';
import { openToolbox } from '../../builder/tools/toolbox.ts';
import { planNetwork } from '../../host/provision/network/plan.ts';
import { readNetworkConfig } from '../../host/provision/network/read.ts';
import { scratchDirectory } from '../builder/scratch.ts';
import { canRunMachines } from '../host/machine.ts';

const scratch = scratchDirectory();
const SERVICES = ['network', 'network-tiny'] as const;
type Service = (typeof SERVICES)[number];
const canRun = await canRunMachines();

/** A root with the service's own files and the programs of its packages, as the builder would make it. */
async function serviceRoot(service: Service): Promise<string> {
  const lock = await readLock(resolve('images/minimal.lock'));
  const names = [
    'busybox',
    'libc6',
    ...(service === 'network'
      ? ['dhcpcd-base', 'libssl3t64', 'libudev1', 'libcap2', 'libzstd1', 'zlib1g']
      : []),
  ];
  const toolbox = await openToolbox(lock!.packages.filter(({ name }) => names.includes(name)));
  const root = join(scratch, service);
  for (const path of ['usr/bin', 'usr/sbin', 'usr/lib64']) mkdirSync(join(root, path), { recursive: true });
  cpSync(toolbox.file('/usr/bin/busybox'), join(root, 'usr/bin/busybox'));
  if (service === 'network') cpSync(toolbox.file('/usr/sbin/dhcpcd'), join(root, 'usr/sbin/dhcpcd'));
  for (const path of ['usr/lib/x86_64-linux-gnu', 'usr/lib64'])
    if (existsSync(join(toolbox.root, path)))
      cpSync(join(toolbox.root, path), join(root, path), { recursive: true, verbatimSymlinks: true });
  // The image has none of dhcpcd's plugins.
  rmSync(join(root, 'usr/lib/x86_64-linux-gnu/dhcpcd'), { recursive: true, force: true });
  for (const link of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${link}`, join(root, link));
  cpSync(resolve('system-containers', service, 'files'), root, { recursive: true });
  const applets = execFileSync('chroot', [root, '/usr/bin/busybox', '--list'], { encoding: 'utf8' });
  for (const applet of applets.trim().split('\n')) {
    const path = join(root, 'usr/bin', applet);
    if (!existsSync(path)) symlinkSync('busybox', path);
  }
  return root;
}

/** Cards eth0, eth1 and eth2 with addresses 02::1 to 02::3; on the net of the second a DHCP server. */
const NETWORK = `
unshare -n sleep 1000 & peer=$!
there() { nsenter -t $peer -n "$@"; }
while [ "$(readlink /proc/$peer/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
ip link set lo up
for n in 1 2 3; do
  card=eth$((n - 1))
  ip link add $card type veth
  ip link set veth0 name p$n
  ip link set p$n netns $peer
  ip link set $card address 02:00:00:00:00:0$n
  there ip link set p$n up
done
there ip address add 192.0.2.1/24 dev p1
there ip address add 10.9.0.1/24 dev p2
: >/tmp/leases
cat >/tmp/udhcpd.conf <<END
start 10.9.0.50
end 10.9.0.50
interface p2
option subnet 255.255.255.0
option router 10.9.0.1
option dns 10.9.0.53
option domain lan.example
option mtu 1300
lease_file /tmp/leases
END
there udhcpd -f /tmp/udhcpd.conf 2>/dev/null &
start() { /usr/lib/slipway/network-start & service=$!; }
stop() { kill $service; wait $service; }
# until COMMAND: at most 30 s
until_true() { tries=0; while ! eval "$1"; do tries=$((tries + 1)); [ $tries -lt 150 ] || break; sleep 0.2; done; }
state=/run/slipway/network/state
show() { echo "== $1"; shift; eval "$*"; }
`;

async function scenario(
  root: string,
  config: string | undefined,
  script: string,
): Promise<Record<string, string>> {
  const lines = [NETWORK];
  if (config !== undefined) {
    const reading = readNetworkConfig(new TextEncoder().encode(config), 'network-config').config!;
    writeFileSync(join(root, 'wanted'), planNetwork(reading, { cards: [], modules: [], dhcp6: true }).text);
    lines.push('cp /wanted /run/slipway/network/plan');
  }
  writeFileSync(join(root, 'scenario'), [...lines, script, 'kill -9 -1'].join('\n'));
  const enter = resolve('test/system-containers/enter-network.sh');
  const { stdout, stderr } = await execa('unshare', ['-mnpf', '--kill-child', 'sh', enter, root], {
    reject: false,
    stripFinalNewline: false,
    timeout: 200_000,
    stdin: 'ignore',
  });
  const parts = stdout.split(/^== (.*)\n/m);
  expect(parts.length, stderr).toBeGreaterThan(1);
  return Object.fromEntries(
    parts.slice(1).flatMap((name, index) => (index % 2 === 0 ? [[name, parts[index + 2] ?? '']] : [])),
  );
}

describe.runIf(canRun).each(SERVICES)('%s', (service) => {
  let root: string;
  beforeAll(async () => {
    root = await serviceRoot(service);
  });

  test('two cards exchange their names, one static, one with DHCP; a third is in a bridge; a fourth is missing', async () => {
    const config = `
version: 2
ethernets:
  a:
    match: {macaddress: '02:00:00:00:00:01'}
    set-name: eth1
    addresses: [192.0.2.2/24, '2001:db8::2/64']
    routes: [{to: default, via: 192.0.2.1}, {to: 198.51.100.0/24, via: 203.0.113.1, metric: 5}, {to: '::/0', via: 'fe80::1'}]
    nameservers: {search: [b.example, a.example], addresses: [192.0.2.53]}
    mtu: 1400
  b: {match: {macaddress: '02:00:00:00:00:02'}, set-name: eth0, dhcp4: true, dhcp4-overrides: {use-mtu: false, route-metric: 700}}
  c: {match: {name: eth2}}
  gone: {addresses: [10.5.0.1/24]}
bridges:
  br0: {interfaces: [c], addresses: [10.0.0.1/24], parameters: {forward-delay: 4, stp: false}}
`;
    const found = await scenario(
      root,
      config,
      `start
until_true '[ -s $state/problems ] && ip address | grep -q 10.9.0.50'
sleep 1
show addresses ip -4 address
show six ip -6 address show dev eth1
show routes 'ip route; ip -6 route'
show macs 'cat /sys/class/net/eth0/address /sys/class/net/eth1/address'
show bridge 'ls /sys/class/net/br0/brif; cat /sys/class/net/br0/bridge/forward_delay /sys/class/net/br0/bridge/stp_state'
show resolv cat /run/etc/resolv.conf
show health '/usr/lib/slipway/network-healthy; echo $?'
stop; rm $state/problems; start
until_true '[ -s $state/problems ]'
sleep 1
show again 'ip -4 address; cat $state/problems'
stop
rm /run/slipway/network/plan
start
until_true 'ip address show dev eth1 | grep -q 10.9.0.50'
show back 'ip -4 address; ls /sys/class/net; cat /sys/class/net/eth0/address /sys/class/net/eth0/mtu; cat /run/etc/resolv.conf'
show health-back '/usr/lib/slipway/network-healthy; echo $?'
stop`,
    );
    expect(found['addresses']).toMatch(/inet 192\.0\.2\.2\/24 brd 192\.0\.2\.255 scope global eth1/);
    expect(found['addresses']).toMatch(/eth1@\S+ .* mtu 1400/);
    expect(found['addresses']).toMatch(/inet 10\.9\.0\.50\/24 .*eth0/);
    expect(found['addresses']).toMatch(/eth0@\S+ .* mtu 1500/);
    expect(found['addresses']).toMatch(/inet 10\.0\.0\.1\/24 brd 10\.0\.0\.255 scope global br0/);
    expect(found['six']).toMatch(/inet6 2001:db8::2\/64 scope global/);
    expect(found['routes']).toMatch(/^default via 192\.0\.2\.1 dev eth1 *$/m);
    expect(found['routes']).toMatch(/^default via 10\.9\.0\.1 dev eth0 .*metric 700/m);
    expect(found['routes']).toMatch(/^198\.51\.100\.0\/24 via 203\.0\.113\.1 dev eth1 +metric 5 onlink/m);
    expect(found['routes']).toMatch(/^default via fe80::1 dev eth1/m);
    expect(found['macs']).toBe('02:00:00:00:00:02\n02:00:00:00:00:01\n');
    expect(found['bridge']).toBe('eth2\n400\n0\n');
    expect(found['resolv']).toBe(
      'search b.example a.example lan.example\nnameserver 192.0.2.53\nnameserver 10.9.0.53\n',
    );
    expect(found['health']).toBe('gone:13: there is no such card: gone\n1\n');
    expect(found['again']).toMatch(/192\.0\.2\.2\/24[^]*10\.0\.0\.1\/24[^]*gone:13: there is no such card/);
    expect(found['again']!.match(/inet 192\.0\.2\.2/g)).toHaveLength(1);
    expect(found['back']).not.toMatch(/192\.0\.2\.2|br0|10\.0\.0\.1/);
    expect(found['back']).toMatch(/02:00:00:00:00:01\n1500\nsearch lan\.example\nnameserver 10\.9\.0\.53\n$/);
    expect(found['health-back']).toMatch(/^0\n$/m);
  });

  test('static alone is healthy without DHCP; nothing of DHCP runs', async () => {
    const found = await scenario(
      root,
      'version: 2\nethernets: {eth0: {addresses: [192.0.2.2/24]}}',
      `show before '/usr/lib/slipway/network-healthy; echo $?'
start
until_true '[ -e $state/problems ]'
show health '/usr/lib/slipway/network-healthy; echo $?'
show processes ps
show ping 'ping -c 1 -W 5 192.0.2.1'
stop`,
    );
    expect(found['before']).toBe('the network configuration is being carried out\n1\n');
    expect(found['health']).toBe('0\n');
    expect(found['processes']).not.toMatch(/dhcpcd|udhcpc /);
    expect(found['ping']).toMatch(/1 packets received/);
  });

  test('a configuration for another machine: every card gets DHCP, and the gate says so', async () => {
    const found = await scenario(
      root,
      "version: 2\nethernets: {x: {match: {macaddress: '02:00:00:00:00:99'}, addresses: [192.0.2.2/24]}}",
      `start
until_true 'ip address show dev eth1 | grep -q 10.9.0.50'
show addresses ip -4 address
show health '/usr/lib/slipway/network-healthy; echo $?'
stop`,
    );
    expect(found['addresses']).toMatch(/10\.9\.0\.50\/24 .*eth1/);
    expect(found['health']).toBe('x:2: there is no such card: 02:00:00:00:00:99\n1\n');
  });

  test('...but for an image whose owner would rather have no network', async () => {
    const found = await scenario(
      root,
      "version: 2\nethernets: {x: {match: {macaddress: '02:00:00:00:00:99'}, addresses: [192.0.2.2/24]}}",
      `export NETWORK_FALLBACK=none
start
until_true '[ -s $state/problems ]'
sleep 3
show addresses ip -4 address
stop`,
    );
    expect(found['addresses']).not.toMatch(/eth\d.*UP|inet 10/);
  });

  test('a link that the kernel cannot make: its port gets DHCP, the rest works', async () => {
    // Another interface has the name of the bridge: that fails on every kernel.
    const found = await scenario(
      root,
      `
version: 2
ethernets:
  a: {match: {name: eth0}, addresses: [192.0.2.2/24]}
  b: {match: {name: eth1}}
bridges: {br0: {interfaces: [b], dhcp4: true}}
`,
      `ip link add br0 type veth
start
until_true 'ip address show dev eth1 | grep -q 10.9.0.50'
show addresses ip -4 address
show problems cat $state/problems
stop`,
    );
    expect(found['addresses']).toMatch(/192\.0\.2\.2\/24 .*eth0[^]*10\.9\.0\.50\/24 .*eth1/);
    expect(found['problems']).toBe('br0:6: there is another interface called br0\n');
  });

  test('a card that comes late is configured when it comes', async () => {
    const found = await scenario(
      root,
      "version: 2\nethernets: {late: {match: {macaddress: '02:00:00:00:00:07'}, set-name: late0, addresses: [10.7.0.2/24]}, eth0: {addresses: [192.0.2.2/24]}}",
      `start
until_true '[ -s $state/problems ]'
show missing cat $state/problems
ip link add eth7 type veth
ip link set eth7 address 02:00:00:00:00:07
until_true '[ -e $state/problems ] && [ ! -s $state/problems ]'
show addresses ip -4 address show dev late0
show health '/usr/lib/slipway/network-healthy; echo $?'
stop`,
    );
    expect(found['missing']).toBe('late:2: there is no such card: 02:00:00:00:00:07\n');
    expect(found['addresses']).toMatch(/10\.7\.0\.2\/24/);
    expect(found['health']).toBe('0\n');
  });
});

test('both services share what they share', () => {
  const folder = (service: Service): string => resolve('system-containers', service, 'files/usr/lib/slipway');
  for (const name of ['network-plan', 'network-healthy', 'resolv-join'])
    expect(readFileSync(join(folder('network'), name), 'utf8')).toBe(
      readFileSync(join(folder('network-tiny'), name), 'utf8'),
    );
});
