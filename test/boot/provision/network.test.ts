import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { buildTestImage } from '../image.ts';
import { HEALTHY_LIMIT_MS, healthyMachine, ssh, withMachine } from '../machine.ts';

const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const scratch = mkdtempSync(join(tmpdir(), 'slipway-network-'));
afterAll(() => rmSync(scratch, { recursive: true }));

/** QEMU's first card is the one that is logged in through; its network has a DHCP server, whose address is not the one below. */
const CONFIG = `
version: 2
ethernets:
  main:
    match: {macaddress: '52:54:00:12:34:56'}
    set-name: lan0
    addresses: [10.0.2.99/24, 10.0.2.15/24]
    routes: [{to: default, via: 10.0.2.2}]
    nameservers: {addresses: [10.0.2.3], search: [boot.example]}
    mtu: 1400
  left: {match: {macaddress: '52:54:00:00:00:09'}}
  right: {match: {macaddress: '52:54:00:00:00:07'}}
bonds:
  bond0: {interfaces: [left, right], parameters: {mode: active-backup, mii-monitor-interval: 100, primary: right}}
vlans:
  storage: {id: 20, link: bond0, mtu: 1300}
bridges:
  br0: {interfaces: [storage], addresses: [10.8.0.1/24], parameters: {stp: false}}
`;

/** A card at a place on the bus, in a network of its own. */
function card(slot: number): string[] {
  return [
    ...['-netdev', `user,id=net${slot},net=10.0.${slot}.0/24`],
    ...['-device', `virtio-net-pci,netdev=net${slot},romfile=,addr=${slot},mac=52:54:00:00:00:0${slot}`],
  ];
}

test.runIf(FULL)(
  'static addresses, a bond, a VLAN and a bridge stand after a boot; cards are called by their places',
  { timeout: 3 * HEALTHY_LIMIT_MS },
  async () => {
    const source = await buildTestImage('test/boot/images/network.yaml');
    const file = join(scratch, 'network-config');
    writeFileSync(file, CONFIG);
    const extraArguments = [
      ...card(9),
      ...card(7),
      ...['-fw_cfg', `name=opt/org.slipway/network-config,file=${file}`],
    ];
    const options = { name: 'network', disk: source.disk, diskSizeBytes: source.machineDiskBytes };
    await withMachine({ ...options, extraArguments }, async (machine) => {
      const { status, access } = await healthyMachine(machine, source.user);
      expect(status.problems).toEqual([]);
      const read = async (command: string): Promise<string> =>
        ssh(access, `slip shell -T -- sh -c '${command}'`);

      const lan = await read('ip address show dev lan0; ip route; cat /etc/resolv.conf');
      expect(lan).toMatch(/mtu 1400/);
      expect(lan).toMatch(/inet 10\.0\.2\.99\/24 brd 10\.0\.2\.255/);
      expect(lan).not.toMatch(/inet .*dynamic/);
      expect(lan).toMatch(/^default via 10\.0\.2\.2 dev lan0/m);
      expect(lan).toMatch(/^search boot\.example\nnameserver 10\.0\.2\.3$/m);

      const bond = await read(
        'cd /sys/class/net/bond0/bonding; cat mode primary slaves; cat ../bonding/active_slave',
      );
      expect(bond).toMatch(/^active-backup 1\nenp0s7\n/);
      expect(bond).toContain('enp0s9');
      expect(await read('cat /proc/net/vlan/storage; cat /sys/class/net/storage/mtu')).toMatch(
        /VID: 20[^]*Device: bond0[^]*\n1300\n/,
      );
      expect(await read('ls /sys/class/net/br0/brif; ip address show dev br0')).toMatch(
        /storage[^]*inet 10\.8\.0\.1\/24/,
      );
      expect(await read('cat /run/slipway/network/state/problems')).toBe('');

      // A restart of the service leaves all as it is, and the connection that asks for it.
      await ssh(access, 'slip restart network');
      expect(await read('ip address show dev lan0; cat /sys/class/net/bond0/bonding/slaves')).toMatch(
        /10\.0\.2\.15\/24[^]*enp0s/,
      );
    });
  },
);
