/** Network configurations of machines that exist, as their owners or clouds write them, and one of each kind of mistake. */

export const DOCUMENTS: Readonly<Record<string, string>> = {
  'one card with DHCP, as most clouds': `
version: 2
ethernets:
  eth0: {dhcp4: true, dhcp6: true, match: {macaddress: '52:54:00:12:34:56'}, set-name: eth0}
`,
  'two static cards': `
network:
  version: 2
  renderer: networkd
  ethernets:
    lan:
      match: {macaddress: '52:54:00:00:00:01'}
      set-name: lan
      addresses: [192.0.2.10/24, '2001:db8::a/64']
      routes:
        - {to: default, via: 192.0.2.1, metric: 10}
        - {to: '::/0', via: 'fe80::1'}
      nameservers: {addresses: [192.0.2.53, '2001:db8::53'], search: [example.org, lan.example.org]}
      mtu: 9000
    wan:
      match: {driver: 'virtio*', name: 'en*'}
      dhcp4: true
      dhcp4-overrides: {use-dns: false, route-metric: 300, hostname: other, use-mtu: false, use-routes: false}
      dhcp6-overrides: {use-dns: false}
      accept-ra: false
      optional: true
      wakeonlan: true
`,
  'Hetzner: a gateway that is in no network of the card': `
version: 1
config:
- type: physical
  name: eth0
  mac_address: 96:00:00:12:34:56
  subnets:
  - {type: static, address: 203.0.113.7/32, gateway: 172.31.1.1, dns_nameservers: [185.12.64.1, 185.12.64.2]}
  - {type: static, address: '2001:db8:1::1/64', gateway: 'fe80::1'}
`,
  'a bond under a VLAN under a bridge': `
version: 2
ethernets:
  a: {match: {macaddress: '52:54:00:00:00:01'}}
  b: {match: {macaddress: '52:54:00:00:00:02'}, mtu: 9000}
bridges:
  br0: {interfaces: [storage], addresses: [10.0.0.2/24], parameters: {stp: false, forward-delay: 4, priority: 1000}}
vlans:
  storage: {id: 20, link: bond0}
bonds:
  bond0:
    interfaces: [a, b]
    macaddress: 52:54:00:00:00:0a
    parameters:
      mode: active-backup
      mii-monitor-interval: '100'
      up-delay: 200
      primary: b
      lacp-rate: fast
`,
  'version 1, with everything': `
version: 1
config:
  - {type: physical, name: en0, mac_address: '52:54:00:00:00:01', mtu: 1400, subnets: [{type: dhcp4, metric: 50}, {type: ipv6_slaac}]}
  - {type: physical, name: en1, accept-ra: true, keep_configuration: true}
  - type: bond
    name: bond0
    bond_interfaces: [en1, en2]
    params: {bond-mode: 4, bond-miimon: 100, bond-lacp_rate: fast, bond-xmit_hash_policy: layer3+4, bond-mii_status: up}
    subnets:
      - {type: static, address: 10.1.0.5, netmask: 255.255.0.0, broadcast: 10.1.255.255, gateway: 10.1.0.1,
         routes: [{destination: 10.9.0.0, netmask: 255.255.0.0, gateway: 10.1.0.9, metric: 7}]}
      - {type: static6, address: '2001:db8::5'}
      - {type: static, address: 10.2.0.5/16, control: manual}
  - {type: bridge, name: br0, bridge_interfaces: [en3], params: {bridge_stp: 'off', bridge_fd: 0, bridge_hw: '52:54:00:00:00:0b', bridge_maxwait: 0}}
  - {type: vlan, name: bond0.7, vlan_link: bond0, vlan_id: 7, mac_address: '52:54:00:00:00:0c', subnets: [{type: dhcp6}]}
  - {type: nameserver, address: [192.0.2.53], search: [example.org]}
  - {type: nameserver, address: 192.0.2.54, interface: bond0}
  - {type: route, network: 198.51.100.0/24, gateway: 10.1.0.7, metric: 3}
  - {type: loopback, name: lo}
`,
  'old gateways': `
version: 2
ethernets:
  eth0: {addresses: [192.0.2.4/24, '2001:db8::4/64'], gateway4: 192.0.2.1, gateway6: '2001:db8::1'}
`,
  'faults everywhere': `
version: 2
ethernets:
  eth0: {adresses: [1], addresses: [192.0.2.4/24, 192.0.2.300/24, 7], mtu: small, routes: [{via: 192.0.2.1}, {to: '2001:db8::/32', via: 192.0.2.1}]}
  'two words': {dhcp4: perhaps}
  c: {match: {macaddress: nonsense}, set-name: a-name-that-is-too-long, dhcp6: yes}
bonds:
  b0: {interfaces: [eth0, nobody], parameters: {mode: balance-slb, primary: c}}
  b1: {interfaces: [eth0]}
vlans:
  v: {id: 1, link: w}
  w: {id: 2, link: v}
  x: {id: 3}
tunnels: {}
`,
};
