/** Machines that ask a metadata service who they are, by curl and by what busybox has: told by their firmware, never by the network. In the full run only. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Machine } from '../../../lab/machine.ts';
import type { SshAccess } from '../../../lab/ssh.ts';
import type { ConfigStatus } from '../../../spec/provisioning.ts';
import {
  digitalocean,
  hetzner,
  KEY,
  openstack,
  OPENSTACK_NETWORK,
} from '../../host/provision/source/services/platforms.ts';
import { type Service } from '../../host/provision/source/services/service.ts';
import { buildTestImage, WORK } from '../image.ts';
import { expectQuietConsole, HEALTHY_LIMIT_MS, healthyMachine, ssh, startTestMachine } from '../machine.ts';
import { METADATA_ADDRESS, METADATA_CARD, serveMetadata, type MetadataServer } from './metadata.ts';

const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;
const OVERLAY = join(WORK, 'metadata.qcow2');
/** The card that is logged in through; QEMU forwards to that address. */
const CARD = '52:54:00:12:34:56';
const [METADATA_IP = ''] = METADATA_ADDRESS.split('/');

/** The platform's service, with one answer that fits these two cards. */
function withAnswer(service: Service, path: string, change: (body: string) => string): Service {
  return (request) => {
    const answer = service(request);
    return request.path === path ? { ...answer, body: change(String(answer.body)) } : answer;
  };
}

interface Platform {
  readonly image: string;
  readonly firmware: readonly string[];
  readonly service: Service;
  /** Of `ip address`, beside the addresses: what only the platform's own configuration of the network gives. */
  readonly network: RegExp;
}

const PLATFORMS: Readonly<Record<string, Platform>> = {
  openstack: {
    image: 'images/tiny.yaml',
    firmware: ['type=1,manufacturer=OpenStack Foundation,product=OpenStack Nova'],
    service: withAnswer(openstack(), '/openstack/latest/network_data.json', () =>
      JSON.stringify({
        ...OPENSTACK_NETWORK,
        links: [
          { id: 'tap1', type: 'ovs', ethernet_mac_address: CARD, mtu: 1450 },
          { id: 'tap2', type: 'phy', ethernet_mac_address: METADATA_CARD, mtu: null },
        ],
        networks: [
          {
            id: 'n0',
            link: 'tap1',
            type: 'ipv4',
            ip_address: '10.0.2.15',
            netmask: '255.255.255.0',
            routes: [{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.0.2.2' }],
          },
          { id: 'n1', link: 'tap2', type: 'ipv4_dhcp' },
        ],
      }),
    ),
    network: /mtu 1450[^]*inet 10\.0\.2\.15\/24/,
  },
  digitalocean: {
    image: 'images/tiny.yaml',
    firmware: ['type=1,manufacturer=DigitalOcean,product=Droplet'],
    service: withAnswer(digitalocean(), '/metadata/v1.json', (body) =>
      JSON.stringify({
        ...(JSON.parse(body) as object),
        interfaces: {
          public: [
            {
              ipv4: { ip_address: '10.0.2.15', netmask: '255.255.255.0', gateway: '10.0.2.2' },
              anchor_ipv4: { ip_address: '10.17.0.9', netmask: '255.255.0.0', gateway: '10.17.0.1' },
              mac: CARD,
              type: 'public',
            },
          ],
          private: [
            {
              ipv4: { ip_address: METADATA_IP, netmask: '255.255.0.0', gateway: '169.254.0.2' },
              mac: METADATA_CARD,
              type: 'private',
            },
          ],
        },
        dns: { nameservers: ['10.0.2.3'] },
      }),
    ),
    network: /inet 10\.0\.2\.15\/24[^]*inet 10\.17\.0\.9\/16/,
  },
  hetzner: {
    image: 'images/minimal.yaml',
    firmware: ['type=1,manufacturer=Hetzner,product=vServer'],
    service: withAnswer(hetzner(), '/hetzner/v1/metadata', (body) =>
      body
        .replace('96:00:00:11:22:33', CARD)
        .replace(
          '- {ipv4: true, type: dhcp}',
          '- {ipv4: true, type: dhcp}\n    - {type: static, address: 10.0.2.77/24}',
        ),
    ),
    network: /eth0:[^]*inet 10\.0\.2\.77\/24/,
  },
};

describe.runIf(FULL)('a machine that asks its platform', { timeout: LIMIT_MS }, () => {
  let machine: Machine | undefined;
  let server: MetadataServer | undefined;
  afterEach(async () => {
    await machine?.close();
    await server?.close();
    await rm(OVERLAY, { force: true });
  });

  test.each(Object.keys(PLATFORMS))('%s', async (name) => {
    const { image, firmware, service, network } = PLATFORMS[name]!;
    const source = await buildTestImage(image);
    // A service that is not ready as the machine starts.
    let asked = 0;
    server = await serveMetadata((request) => (asked++ < 1 ? { status: 503 } : service(request)), firmware);
    machine = await startTestMachine({
      name: `metadata-${name}`,
      disk: source.disk,
      diskSizeBytes: source.machineDiskBytes,
      overlay: OVERLAY,
      memoryMiB: 256,
      extraArguments: server.arguments,
    });
    const { access } = await healthyMachine(machine, source.user);
    expect(await applied(access)).toMatchObject({ source: name, problems: [] });
    expect(server.requests[0]).toMatch(/ 503$/);
    expect(await ssh(access, 'hostname')).toBe('from-user-data\n');
    expect(await ssh(access, 'slip shell -T ip address')).toMatch(network);
    // The platform's key is the first operator's, beside the lab's own.
    expect(await ssh(access, 'slip shell -T cat /run/slipway/provision/machine.json')).toContain(KEY);
    expectQuietConsole(machine);
  });
});

/** Once what was told is done, the network included: it restarts for that. */
async function applied(access: SshAccess): Promise<ConfigStatus> {
  const end = Date.now() + HEALTHY_LIMIT_MS;
  let last: ConfigStatus | undefined;
  while (Date.now() < end) {
    last = await ssh(access, 'slip config status --json')
      .then((said) => JSON.parse(said) as ConfigStatus)
      .catch(() => last);
    if (last?.state === 'applied') return last;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  throw new Error(`not applied: ${JSON.stringify(last)}`);
}
