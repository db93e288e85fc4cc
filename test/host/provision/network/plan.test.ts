import { describe, expect, it } from 'vitest';
import { LINK_MODULES, planNetwork, type NetworkFacts } from '../../../../host/provision/network/plan.ts';
import { readNetworkConfig } from '../../../../host/provision/network/read.ts';
import { DOCUMENTS } from './documents.ts';

const FACTS: NetworkFacts = { cards: [], modules: Object.values(LINK_MODULES), dhcp6: true };

function plan(text: string, facts = FACTS): { lines: string[]; problems: string[] } {
  const { config } = readNetworkConfig(new TextEncoder().encode(text), 'network-config');
  const made = planNetwork(config!, facts);
  return {
    lines: made.text.trimEnd().split('\n').slice(1),
    problems: made.problems.map(({ line, kind, message }) => `${line} ${kind} ${message}`),
  };
}

const document = (name: keyof typeof DOCUMENTS): string => DOCUMENTS[name]!;

describe('what the service is told', () => {
  it('of static cards, and of DHCP with its overrides', () => {
    expect(plan(document('two static cards')).lines).toEqual([
      'dns search example.org',
      'dns search lan.example.org',
      'dns nameserver 192.0.2.53',
      'dns nameserver 2001:db8::53',
      'card 0 required lan:6 52:54:00:00:00:01 - - lan',
      'do 0 ip link set @ mtu 9000',
      'do 0 ip link set @ up',
      'do 0 ip -4 address replace 192.0.2.10/24 broadcast + dev @',
      'do 0 ip -6 address replace 2001:db8::a/64 dev @',
      'do 0 ip -4 route replace default via 192.0.2.1 dev @ metric 10',
      'do 0 ip -6 route replace default via fe80::1 dev @',
      'card 1 optional wan:15 - virtio* en* -',
      'ipv6 1 accept_ra 0',
      'do 1 ip link set @ up',
      'dhcp 1 v4',
      'dhcp 1 no-dns4',
      'dhcp 1 no-routes',
      'dhcp 1 no-mtu',
      'dhcp 1 hostname other',
      'dhcp 1 metric 300',
    ]);
  });

  it('of a gateway in no network of the card: it is on the link', () => {
    const { lines } = plan(document('Hetzner: a gateway that is in no network of the card'));
    expect(lines).toContain('do 0 ip -4 route replace default via 172.31.1.1 dev @ onlink');
    expect(lines).toContain('do 0 ip -6 route replace default via fe80::1 dev @');
    expect(lines).toContain('do 0 ip -4 address replace 203.0.113.7/32 dev @');
  });

  it('of a bond, what stands on it after it, and of its ports no addresses', () => {
    expect(plan(document('a bond under a VLAN under a bridge')).lines).toEqual([
      'card 0 required a:4 52:54:00:00:00:01 - - -',
      'card 1 required b:5 52:54:00:00:00:02 - - -',
      'do 1 ip link set @ mtu 9000',
      'bond 2 required bond0:11 bond0',
      'put 2 bonding/mode active-backup',
      'put 2 bonding/miimon 100',
      'put 2 bonding/updelay 200',
      'port 2 0',
      'port 2 1',
      'late 2 bonding/primary @1',
      'do 2 ip link set @ down',
      'do 2 ip link set @ address 52:54:00:00:00:0a',
      'do 2 ip link set @ up',
      'vlan 3 required storage:9 storage 2 20',
      'bridge 4 required br0:7 br0',
      'put 4 bridge/stp_state 0',
      'put 4 bridge/forward_delay 400',
      'put 4 bridge/priority 1000',
      'port 4 3',
      'do 4 ip link set @ up',
      'do 4 ip -4 address replace 10.0.0.2/24 broadcast + dev @',
    ]);
  });

  it('of version 1, with everything', () => {
    const { lines } = plan(document('version 1, with everything'));
    expect(lines).toContain('route ip -4 route replace 198.51.100.0/24 via 10.1.0.7 metric 3');
    expect(lines).toContain('dns nameserver 192.0.2.54');
    expect(lines.filter((line) => line.startsWith('dhcp'))).toEqual([
      'dhcp 0 v4',
      'dhcp 0 slaac',
      'dhcp 0 metric 50',
      'dhcp 0 no-mtu',
      'dhcp 6 v6',
    ]);
    expect(lines.filter((line) => / 10\.2\./.test(line))).toEqual([]);
  });

  it('a card whose address is known goes first, then one by name, then whatever is left', () => {
    const text = `
version: 2
ethernets:
  rest: {match: {name: 'en*'}, dhcp4: true}
  named: {match: {name: enp0s3}, dhcp4: true}
  exact: {match: {macaddress: '52:54:00:00:00:01'}, dhcp4: true}`;
    const cards = plan(text).lines.filter((line) => line.startsWith('card'));
    expect(cards.map((line) => line.split(' ')[3])).toEqual(['exact:6', 'named:5', 'rest:4']);
  });

  it('a faulty card gets DHCP beside what was understood of it, with the worst of routes', () => {
    const { lines } = plan('version: 2\nethernets: {en0: {addresses: [192.0.2.1/24], typo: 1}}');
    expect(lines.slice(1)).toEqual([
      'do 0 ip link set @ up',
      'do 0 ip -4 address replace 192.0.2.1/24 broadcast + dev @',
      'dhcp 0 v4',
      'dhcp 0 metric 20000',
    ]);
  });
});

describe('what will not work here is told with its line', () => {
  const card = { name: 'enp0s3', kernelName: 'eth0', macAddress: '52:54:00:12:34:56', driver: 'virtio_net' };

  it('a card that is missing, unless it is optional', () => {
    const text =
      "version: 2\nethernets:\n  eth0: {}\n  eth1: {}\n  en7: {optional: true}\n  x: {match: {macaddress: '52:54:00:00:00:09', driver: e1000}}";
    expect(plan(text, { ...FACTS, cards: [card] }).problems).toEqual([
      "4 missing-card 'eth1': this machine has no card called 'eth1'",
      "6 missing-card 'x': this machine has no card with the address 52:54:00:00:00:09, of the driver 'e1000'",
    ]);
  });

  it.each([
    ['enp0s3', true],
    ['eth0', true],
    ['en*', true],
    ['en?0s[1-4]', true],
    ['en[!p]*', false],
    ['enp0s', false],
    ['enp0s3.', false],
  ])('the name %s fits: %s', (name, fits) => {
    const text = `version: 2\nethernets: {x: {match: {name: '${name}'}}}`;
    expect(plan(text, { ...FACTS, cards: [card] }).problems).toHaveLength(fits ? 0 : 1);
  });

  it('a kernel module that the image lacks, and DHCPv6 where there is none', () => {
    const text = 'version: 2\nvlans: {v: {id: 5, link: enp0s3, dhcp6: true}}\nethernets: {enp0s3: {}}';
    const { problems } = plan(text, { cards: [card], modules: ['bonding'], dhcp6: false });
    expect(problems).toEqual([
      "2 missing-module 'v': the image has no kernel module '8021q'; add it to the image's definition: 'kernel: {modules: [8021q]}'",
      "2 no-dhcp6 'v': this image has no DHCPv6; addresses come from router advertisements alone",
    ]);
  });
});

it('nothing of a document becomes more than a word of the plan', () => {
  const text = `
version: 2
ethernets: {'two words': {dhcp4: true}, '$(reboot)': {match: {macaddress: '52:54:00:00:00:01'}}}
bonds: {'a b': {interfaces: ['$(reboot)']}}
bridges: {'x;y': {}}
vlans: {'../v': {id: 1, link: '$(reboot)'}}`;
  expect(plan(text).lines).toEqual([
    'card 0 required __reboot_:3 52:54:00:00:00:01 - - -',
    'do 0 ip link set @ up',
    'card 1 required two_words:3 - - / -',
    'do 1 ip link set @ up',
    'dhcp 1 v4',
  ]);
});
