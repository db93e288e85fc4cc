/** The document that boot tests and the benchmark of provisioning give a machine: a user, a file, a script, a service; and a network. */

export interface Wanted {
  readonly hostname: string;
  readonly user: string;
  readonly greeting: string;
  /** A public key, for the user. */
  readonly key: string;
}

/** Another address than DHCP would give: that it has it shows who configured the network. */
export const ADDRESS = '10.0.2.77';

export const NETWORK = `version: 2
ethernets:
  first:
    match: { driver: virtio_net }
    dhcp4: true
    addresses: [${ADDRESS}/24]
    mtu: 1400
`;

/** Of one instance, whatever its user-data says. */
export const META_DATA = 'instance-id: i-1\n';

export function userData({ hostname, user, greeting, key }: Wanted): string {
  return `#cloud-config
hostname: ${hostname}
users:
  - default
  - name: ${user}
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys: ['${key}']
write_files:
  - path: /var/lib/app/greeting
    content: "${greeting}\\n"
    permissions: '0640'
    owner: ${user}
runcmd:
  - echo once >>/var/lib/app/once
services:
  greeter:
    image: service:network
    entrypoint: [/usr/bin/busybox, sh, -c, 'echo "$$GREETING from a service"; exec sleep 1000000']
    environment: { GREETING: ${greeting} }
    stop_grace_period: 1s
`;
}
