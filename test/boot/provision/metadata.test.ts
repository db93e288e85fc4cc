/** Machines that ask a metadata service who they are, by curl and by what busybox has: told by their firmware, never by the network. In the full run only. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  azure,
  azureEnvironment,
  digitalocean,
  ec2,
  gce,
  hetzner,
  KEY,
  openstack,
  OPENSTACK_NETWORK,
} from '../../host/provision/source/services/platforms.ts';
import type { Service } from '../../host/provision/source/services/service.ts';
import { expectQuietConsole, HEALTHY_LIMIT_MS } from '../machine.ts';
import { insertDisc, type Disc } from './disc.ts';
import {
  METADATA_ADDRESS,
  METADATA_CARD,
  serveMetadata,
  WIRE_SERVER,
  WIRE_SERVER_CARD,
  type MetadataServer,
} from './metadata.ts';
import { eventually, FULL, startProvisioned, type ProvisionedMachine } from './provisioned.ts';

const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;
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

/** Not ready as the machine starts, then out of breath, and slow all the time. */
function burdened(service: Service): Service {
  return (request) => {
    if (request.index === 0) return { status: 503 };
    if (request.index === 1) return { status: 429, headers: { 'Retry-After': '1' } };
    return { ...service(request), delayMs: 300 };
  };
}

interface Platform {
  readonly image: string;
  readonly firmware: readonly string[];
  readonly service: Service;
  /** Of `ip address`, beside the addresses: what only the platform's own configuration of the network gives. */
  readonly network: RegExp;
  readonly hostname?: string;
  readonly disc?: () => Promise<Disc>;
  /** What it asks at each start, and is answered well. */
  readonly asks: readonly string[];
}

const mac = (card: string): string => card.replaceAll(':', '').toUpperCase();

function azureCard(card: string, addresses: readonly string[], subnet: string): unknown {
  const [address, prefix] = subnet.split('/');
  return {
    macAddress: mac(card),
    ipv4: {
      ipAddress: addresses.map((privateIpAddress) => ({ privateIpAddress, publicIpAddress: '' })),
      subnet: [{ address, prefix }],
    },
    ipv6: { ipAddress: [] },
  };
}

const IMDS = '/metadata/instance?api-version=2021-08-01&extended=true';

const PLATFORMS: Readonly<Record<string, Platform>> = {
  // Tokens are good for three requests: the machine gets itself others.
  ec2: {
    image: 'images/tiny.yaml',
    firmware: ['type=1,manufacturer=Amazon EC2,product=t3.small'],
    service: ec2({ tokenUses: 3 }),
    network: /inet 10\.0\.2\.15\/24/,
    asks: ['PUT /latest/api/token 200', 'GET /latest/user-data 200'],
  },
  gce: {
    image: 'images/tiny.yaml',
    firmware: ['type=1,manufacturer=Google,product=Google Compute Engine,serial=GoogleCloud-0123456789'],
    service: gce(),
    network: /inet 10\.0\.2\.15\/24/,
    asks: [
      'GET /computeMetadata/v1/instance/id 200',
      'GET /computeMetadata/v1/instance/?recursive=true 200',
      'GET /computeMetadata/v1/project/attributes/?recursive=true 200',
    ],
  },
  azure: {
    image: 'images/minimal.yaml',
    firmware: [
      'type=1,manufacturer=Microsoft Corporation,product=Virtual Machine',
      'type=3,manufacturer=Microsoft Corporation,asset=7783-7084-3265-9085-8269-3286-77',
    ],
    service: withAnswer(azure(), IMDS, (body) =>
      JSON.stringify({
        ...(JSON.parse(body) as object),
        network: {
          interface: [
            azureCard(CARD, ['10.0.2.15', '10.0.2.78'], '10.0.2.0/24'),
            azureCard(METADATA_CARD, [METADATA_IP], '169.254.0.0/16'),
            azureCard(WIRE_SERVER_CARD, ['168.63.129.15'], '168.63.129.0/24'),
          ],
        },
      }),
    ),
    network: /inet 10\.0\.2\.78\/24/,
    hostname: 'from-custom-data',
    disc: () =>
      insertDisc(
        'azure',
        'rd_rdfe_stable',
        { 'ovf-env.xml': azureEnvironment('#cloud-config\nhostname: from-custom-data\n') },
        'genisoimage -udf',
      ),
    asks: [`GET ${IMDS} 200`, 'GET /machine/?comp=goalstate 200', 'POST /machine?comp=health 200'],
  },
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
    asks: ['GET /openstack/latest/meta_data.json 200', 'GET /openstack/latest/user_data 200'],
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
    asks: ['GET /metadata/v1.json 200'],
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
    asks: ['GET /hetzner/v1/metadata 200', 'GET /hetzner/v1/userdata 200'],
  },
};

describe.runIf(FULL)('a machine that asks its platform', { timeout: LIMIT_MS }, () => {
  let told: ProvisionedMachine | undefined;
  let server: MetadataServer | undefined;
  afterEach(async () => {
    await told?.close();
    await server?.close();
  });

  test.each(Object.keys(PLATFORMS))('%s', async (name) => {
    const platform = PLATFORMS[name]!;
    const { image, firmware, service, asks } = platform;
    server = await serveMetadata(burdened(service), firmware, name === 'azure' ? [WIRE_SERVER] : []);
    const disc = await platform.disc?.();
    told = await startProvisioned({
      name: `metadata-${name}`,
      image,
      // Whoever answers beyond the first card is not the platform.
      outside: 'closed',
      extraArguments: [...server.arguments, ...(disc?.arguments ?? [])],
    });
    const first = await told.applied();
    expect(first).toMatchObject({
      source: name,
      problems: [],
      digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(server.requests[0]).toMatch(/ 503$/);
    expect(server.requests[1]).toMatch(/ 429$/);
    await hasAsked(server, asks, 0);
    await isAsTold(told, platform);

    // Started again: asked once more, since it may have changed; the disc of the first start may be gone.
    await disc?.eject(told.machine);
    const before = server.requests.length;
    await told.restart();
    await hasAsked(server, asks, before);
    expect(await told.applied()).toMatchObject({ source: name, problems: [], digest: first.digest });
    await isAsTold(told, platform);
    // Nothing twice, but for tokens.
    const gets = server.requests
      .slice(before)
      .filter((request) => request.endsWith(' 200') && !request.startsWith('PUT'));
    expect([...gets].sort()).toEqual([...new Set(gets)].sort());
    expectQuietConsole(told.machine);
  });
});

async function hasAsked({ requests }: MetadataServer, asks: readonly string[], from: number): Promise<void> {
  await eventually(
    () => `asked for ${asks.join(', ')}: ${requests.slice(from).join(', ')}`,
    () => asks.every((request) => requests.slice(from).includes(request)),
  );
}

async function isAsTold(told: ProvisionedMachine, { hostname, network }: Platform): Promise<void> {
  // The network restarts as it is told.
  await eventually('the network is as told', async () => network.test(await told.root('ip address')));
  expect(await told.ssh('hostname')).toBe(`${hostname ?? 'from-user-data'}\n`);
  // The platform's key is the first operator's, beside the lab's own.
  expect(await told.root('cat /run/slipway/provision/machine.json')).toContain(KEY);
}
