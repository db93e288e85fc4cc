/** The machine's own interpreter, curl and busybox, against services that behave like the real ones, on the real addresses. */
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findOffline } from '../../../../host/provision/source/find-offline.ts';
import type { HttpProgram } from '../../../../host/provision/source/http/exchange.ts';
import type { DatasourceName, ProvisioningPolicy } from '../../../../spec/provisioning.ts';
import { DATASOURCES } from '../../../../spec/provisioning.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { machineProgram } from '../../../updater/device/fetch/programs.ts';
import { createFakeMachine, type FakeMachine } from './fake-machine.ts';
import {
  buildPrograms,
  canMakeNetworks,
  openNetwork,
  type Network,
  type NetworkOptions,
  type Programs,
} from './link-local.ts';
import { makeDisc } from './seed-images.ts';
import { azureEnvironment, KEY, USER_DATA } from './services/platforms.ts';
import { PLATFORMS, TROUBLES } from './services/scenarios.ts';

const directory = scratchDirectory();
const POLICY: ProvisioningPolicy = {
  format: '1.0',
  sources: Object.fromEntries(DATASOURCES.map((name) => [name, []])),
  scripts: 'container',
  platform: 'auto',
};
const DMI: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ec2: { sys_vendor: 'Amazon EC2', product_uuid: 'ec2f58af-d2e2-4d7f-9d65-c0f1d3d1c4ab' },
  gce: { product_name: 'Google Compute Engine' },
  azure: { chassis_asset_tag: '7783-7084-3265-9085-8269-3286-77' },
  openstack: { product_name: 'OpenStack Nova' },
  digitalocean: { sys_vendor: 'DigitalOcean' },
  hetzner: { sys_vendor: 'Hetzner' },
};
const GENEROUS_MS = 30_000;
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';

describe.skipIf(!canMakeNetworks())('in a network of its own', () => {
  let programs: Programs;
  let machine: FakeMachine;
  let network: Network | undefined;
  const http: Partial<Record<HttpProgram['kind'], HttpProgram>> = {};

  beforeAll(async () => {
    programs = await buildPrograms(directory);
    http.curl = { kind: 'curl', argv: await machineProgram('curl') };
    http.nc = { kind: 'nc', argv: [...(await machineProgram('busybox')), 'nc'] };
  });
  const machines: FakeMachine[] = [];
  afterEach(async () => {
    await network?.close();
    network = undefined;
  });
  afterAll(() => machines.forEach((one) => one.remove()));

  interface Outcome {
    readonly result: Record<string, unknown> & {
      readonly metaData: { readonly publicKeys: readonly string[] };
    };
    readonly tookMs: number;
  }

  async function find(
    kind: HttpProgram['kind'],
    options: NetworkOptions & {
      readonly platform?: DatasourceName | 'none';
      readonly budgetMs?: number;
      readonly what?: string;
      readonly prepare?: (machine: FakeMachine) => void;
    },
  ): Promise<Outcome> {
    machine = createFakeMachine();
    machines.push(machine);
    machine.dmi(DMI[options.platform ?? ''] ?? {});
    options.prepare?.(machine);
    network = await openNetwork(programs, options);
    const task = {
      what: options.what ?? 'online',
      policy: POLICY,
      budgetMs: options.budgetMs ?? GENEROUS_MS,
      program: http[kind],
    };
    return JSON.parse(await network.run([...programs.find, machine.root, JSON.stringify(task)])) as Outcome;
  }
  const paths = (): string[] =>
    network?.requests.map(({ method, path, status }) => `${method} ${path} ${status}`) ?? [];

  describe.each(['curl', 'nc'] as const)('by %s', (kind) => {
    test.each([
      ['ipv4', 'http://169.254.169.254/'],
      ['ipv6', 'http://[fd00:ec2::254]/'],
    ] as const)('EC2 over %s', async (address, origin) => {
      const { result } = await find(kind, { platform: 'ec2', scenario: 'ec2', addresses: [address] });
      expect(result).toMatchObject({
        source: 'ec2',
        origin,
        instanceId: 'i-0123456789abcdef0',
        userData: USER_DATA,
        platformFacts: {
          cloudName: 'aws',
          region: 'eu-central-1',
          availabilityZone: 'eu-central-1a',
          instanceType: 't3.small',
        },
        metaData: { localHostname: 'ip-10-0-0-5.eu-central-1.compute.internal' },
      });
      expect(result.metaData.publicKeys).toEqual([KEY, 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 c@d']);
      expect(paths()[0]).toBe('PUT /latest/api/token 200');
      // Never the first version of the service.
      expect(paths().filter((path) => path.endsWith('401'))).toEqual([]);
    });

    test('EC2 whose tokens end: a new one, once for each time', async () => {
      const { result } = await find(kind, { platform: 'ec2', scenario: 'ec2 with tokens that end soon' });
      expect(result).toMatchObject({ source: 'ec2', userData: USER_DATA });
      expect(paths().filter((path) => path.startsWith('PUT')).length).toBeGreaterThan(1);
    });

    test('EC2 whose tokens never do: refused, not asked for ever', async () => {
      const { result } = await find(kind, { platform: 'ec2', scenario: 'ec2 whose tokens never do' });
      expect(result).toMatchObject({ fault: 'provision.refused' });
      expect(paths()).toHaveLength(4);
    });

    test('EC2 with more addresses than DHCP gives: those are configured, DHCP stays', async () => {
      const { result } = await find(kind, { platform: 'ec2', scenario: 'ec2 with two cards' });
      const first = { 'route-metric': 100 };
      expect(JSON.parse(String(result['networkConfig']))).toEqual({
        version: 2,
        ethernets: {
          card0: {
            match: { macaddress: '06:00:00:00:00:01' },
            dhcp4: true,
            'dhcp4-overrides': first,
            dhcp6: true,
            'dhcp6-overrides': first,
            addresses: ['10.0.0.6/20'],
          },
          card1: {
            match: { macaddress: '06:00:00:00:00:02' },
            dhcp4: true,
            'dhcp4-overrides': { 'route-metric': 200 },
          },
        },
      });
    });

    test('EC2 without user-data has none', async () => {
      const { result } = await find(kind, { platform: 'ec2', scenario: 'ec2 without user-data' });
      expect(result).toMatchObject({ source: 'ec2', instanceId: 'i-0123456789abcdef0' });
      expect(result).not.toHaveProperty('userData');
      expect(result).not.toHaveProperty('networkConfig');
    });

    // Each platform's with each trouble (all but EC2's in the full run), by one program or the other: who asks and how it is read are told apart above.
    const platforms = Object.keys(PLATFORMS) as (keyof typeof PLATFORMS)[];
    const troubles = Object.keys(TROUBLES);
    const cases = platforms.flatMap((platform, row) =>
      troubles.flatMap((trouble, column) =>
        platform === 'ec2' || (FULL && (row + column) % 2 === (kind === 'nc' ? 0 : 1))
          ? [[platform, trouble] as const]
          : [],
      ),
    );
    test.each(cases)('%s %s is read all the same', async (platform, trouble) => {
      const scenario = `${platform} ${trouble}`;
      const { result, tookMs } = await find(kind, { platform, scenario, addresses: ['ipv4'] });
      expect(result).toMatchObject({ source: platform, userData: USER_DATA });
      if (trouble === 'that throttles') expect(tookMs).toBeGreaterThan(1000);
    });

    test.each([
      ['ec2', 'provision.refused'],
      ['gce', 'provision.meta-data'],
      // A machine is known there only some time after its start: it is asked until the budget ends.
      ['azure', 'provision.unreachable'],
      ['openstack', 'provision.refused'],
      ['digitalocean', 'provision.refused'],
      ['hetzner', 'provision.refused'],
    ] as const)('%s that knows nobody: told, within the budget', async (platform, fault) => {
      const scenario = `${platform} that knows nobody`;
      const { result, tookMs } = await find(kind, { platform, scenario, budgetMs: 1500 });
      expect(result).toMatchObject({ fault });
      expect(tookMs).toBeLessThan(3500);
    });

    test('a service that comes late is waited for', async () => {
      const { result } = await find(kind, { platform: 'ec2', scenario: 'ec2', lateMs: 1500 });
      expect(result).toMatchObject({ source: 'ec2' });
    });

    test('EC2 that is switched off is told as that, at once', async () => {
      const { result, tookMs } = await find(kind, { platform: 'ec2', scenario: 'ec2 that is switched off' });
      expect(result).toMatchObject({ fault: 'provision.refused' });
      expect(tookMs).toBeLessThan(5000);
    });

    test.each([
      ['ec2 with user-data without end', 'ec2', 'http.too-large'],
      ['ec2 that sends elsewhere', 'ec2', 'provision.refused'],
      ['somebody else’s gce', 'gce', 'provision.refused'],
      ['digitalocean with a megabyte', 'digitalocean', 'http.too-large'],
      ['openstack that knows nobody', 'openstack', 'provision.refused'],
      ['a circle', 'none', 'provision.refused'],
      ['a script as configuration', 'none', 'provision.seed'],
    ] as const)('%s: refused', async (scenario, platform, fault) => {
      const prepare = (one: FakeMachine): void =>
        one.write('/proc/cmdline', 'ro cloud-config-url=http://169.254.169.254/config');
      const { result } = await find(kind, {
        platform,
        scenario,
        ...(platform === 'none' ? { prepare } : {}),
      });
      expect(result).toMatchObject({ fault });
    });

    test.each([
      'digitalocean that trickles',
      'digitalocean without HTTP',
      'digitalocean with a head without end',
    ])('%s: no longer than the budget', async (scenario) => {
      const { result, tookMs } = await find(kind, { platform: 'digitalocean', scenario, budgetMs: 1200 });
      expect(result).toMatchObject({ fault: 'provision.unreachable' });
      expect(tookMs).toBeGreaterThan(900);
      expect(tookMs).toBeLessThan(3500);
    });

    test('nobody there: the budget, no more', async () => {
      const { result, tookMs } = await find(kind, {
        platform: 'ec2',
        scenario: 'ec2',
        addresses: [],
        budgetMs: 1500,
      });
      expect(result).toMatchObject({ fault: 'provision.unreachable' });
      expect(tookMs).toBeLessThan(3000);
    });

    test('GCE: an id of 19 digits stays whole, expired keys are gone', async () => {
      const { result } = await find(kind, { platform: 'gce', scenario: 'gce' });
      expect(result).toMatchObject({
        source: 'gce',
        instanceId: '4520031799277581759',
        userData: USER_DATA,
        metaData: { localHostname: 'vm1.europe-west1-b.c.project.internal' },
        platformFacts: {
          region: 'europe-west1',
          availabilityZone: 'europe-west1-b',
          instanceType: 'e2-small',
        },
      });
      expect(result.metaData.publicKeys).toEqual([KEY, 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 c@d']);
    });

    test('GCE with base64, and without the project’s keys', async () => {
      const packed = await find(kind, { platform: 'gce', scenario: 'gce with packed user-data' });
      expect(packed.result).toMatchObject({ userData: USER_DATA });
      await network?.close();
      const { result } = await find(kind, { platform: 'gce', scenario: 'gce without the project’s keys' });
      expect(result.metaData.publicKeys).toEqual([KEY]);
    });

    test.each(['azure', 'azure of before', 'azure that does not know us yet'])('%s', async (scenario) => {
      const { result } = await find(kind, { platform: 'azure', scenario });
      expect(result).toMatchObject({
        source: 'azure',
        instanceId: '02aab8a4-74ef-476e-8182-f6d2ba4166a6',
        userData: USER_DATA,
        metaData: { localHostname: 'examplevm', publicKeys: [KEY] },
        platformFacts: { region: 'westeurope', availabilityZone: '1' },
      });
      expect(JSON.parse(String(result['networkConfig']))).toMatchObject({
        version: 2,
        ethernets: {
          card0: { match: { macaddress: '00:0d:3a:ff:fe:01' }, dhcp4: true, addresses: ['10.1.0.9/24'] },
        },
      });
    });

    test('Azure’s custom data, on its disc, goes before the user data', async () => {
      const disc = makeDisc(
        join(directory, `azure-${kind}.iso`),
        'rd_rdfe_stable',
        { 'ovf-env.xml': azureEnvironment('#cloud-config\nhostname: custom\n') },
        'genisoimage -udf',
      );
      const { result } = await find(kind, {
        platform: 'azure',
        scenario: 'azure',
        prepare: (one) => one.disk('sr0', disc),
      });
      expect(result).toMatchObject({
        source: 'azure',
        userData: '#cloud-config\nhostname: custom\n',
        notes: [],
      });
      expect(JSON.stringify(result)).not.toContain('secret-word');
    });

    test('Azure hears that the machine is ready', async () => {
      const { result } = await find(kind, { platform: 'azure', scenario: 'azure', what: 'report' });
      expect(result).toBe('reported');
      expect(paths()).toEqual(['GET /machine/?comp=goalstate 200', 'POST /machine?comp=health 200']);
    });

    test.each([
      ['ipv4', 'http://169.254.169.254/'],
      ['link', 'http://[fe80::a9fe:a9fe%en0]/'],
    ] as const)('OpenStack over %s', async (address, origin) => {
      const { result } = await find(kind, {
        platform: 'openstack',
        scenario: 'openstack',
        addresses: [address],
        prepare: (one) => {
          one.write('/sys/class/net/en0/carrier', '1\n');
          one.write('/sys/class/net/en7/carrier', '0\n');
        },
      });
      expect(result).toMatchObject({
        source: 'openstack',
        origin,
        instanceId: 'd8e02d56-2648-49a3-bf97-6be8f1204f38',
        userData: USER_DATA,
        vendorData: '#cloud-config\n{}\n',
        metaData: { localHostname: 'test.novalocal', publicKeys: [KEY] },
      });
      expect(JSON.parse(String(result['networkConfig']))).toMatchObject({ version: 2 });
      expect(JSON.stringify(result.metaData)).not.toContain('secret-word');
    });

    test('OpenStack without user-data has none', async () => {
      const { result } = await find(kind, { platform: 'openstack', scenario: 'openstack without user-data' });
      expect(result).toMatchObject({ source: 'openstack' });
      expect(result).not.toHaveProperty('userData');
    });

    test('DigitalOcean', async () => {
      const { result } = await find(kind, { platform: 'digitalocean', scenario: 'digitalocean' });
      expect(result).toMatchObject({
        source: 'digitalocean',
        instanceId: '2756294',
        userData: USER_DATA,
        metaData: { localHostname: 'sample-droplet', publicKeys: [KEY] },
      });
      // Only the public card leads out.
      expect(JSON.parse(String(result['networkConfig']))).toEqual({
        version: 2,
        ethernets: {
          public0: {
            match: { macaddress: '04:01:2a:0f:2a:01' },
            addresses: ['104.131.20.105/18', '2604:A880:0800:0010:0000:0000:017D:2001/64', '10.17.0.9/16'],
            routes: [
              { to: 'default', via: '104.131.0.1' },
              { to: 'default', via: '2604:A880:0800:0010:0000:0000:0000:0001' },
            ],
            nameservers: { addresses: ['2001:4860:4860::8844', '8.8.8.8'] },
          },
          private0: { match: { macaddress: '04:01:2a:0f:2a:02' }, addresses: ['10.132.255.113/16'] },
        },
      });
      expect(JSON.stringify(result.metaData)).not.toContain('secret-word');
    });

    test('Hetzner', async () => {
      const { result } = await find(kind, { platform: 'hetzner', scenario: 'hetzner' });
      expect(result).toMatchObject({
        source: 'hetzner',
        instanceId: '42',
        userData: USER_DATA,
        vendorData: '#cloud-config\n{}\n',
        metaData: { localHostname: 'my-server', publicKeys: [KEY] },
      });
      expect(JSON.parse(String(result['networkConfig']))).toMatchObject({
        version: 1,
        config: [{ name: 'eth0' }],
      });
    });

    test('NoCloud: the SMBIOS serial number sends on to a web server', async () => {
      const { result } = await find(kind, {
        scenario: 'seed',
        prepare: (one) =>
          one.dmi({
            product_serial: 'ds=nocloud;s=http://169.254.169.254/__dmi.chassis-serial-number__',
            chassis_serial: 'web1',
          }),
      });
      expect(result).toMatchObject({
        source: 'nocloud',
        origin: 'http://169.254.169.254/web1/',
        instanceId: 'iid-web1',
        userData: USER_DATA,
        networkConfig: 'version: 2\n',
        metaData: { localHostname: 'web1' },
      });
    });

    test('NoCloud: a seed without meta-data is told', async () => {
      const { result } = await find(kind, {
        scenario: 'a seed without meta-data',
        prepare: (one) => one.dmi({ product_serial: 'ds=nocloud;s=http://169.254.169.254/web1/;h=named' }),
      });
      expect(result).toMatchObject({ fault: 'provision.seed' });
    });

    test('the command line’s configuration, behind a redirection', async () => {
      const { result } = await find(kind, {
        scenario: 'a configuration elsewhere',
        prepare: (one) =>
          one.write('/proc/cmdline', 'ro cloud-config-url=http://169.254.169.254/config quiet\n'),
      });
      expect(result).toMatchObject({ source: 'command-line', userData: USER_DATA, instanceId: 'nocloud' });
    });
  });

  test('a machine of nobody’s asks nobody, and loses no time', async () => {
    const { result, tookMs } = await find('curl', { platform: 'none', scenario: 'ec2' });
    expect(result).toBeNull();
    expect(tookMs).toBeLessThan(500);
    expect(network?.requests).toEqual([]);
    const task = { what: 'needs-network', policy: POLICY, budgetMs: 1, program: http.curl };
    const said = await network?.run([...programs.find, machine.root, JSON.stringify(task)]);
    expect(JSON.parse(said ?? '')).toMatchObject({ result: false });
  });

  test('the machine’s interpreter finds the same offline as Node does', async () => {
    const files = {
      'user-data': USER_DATA,
      'meta-data': `instance-id: i1\npublic-keys: ['${KEY}']\n`,
      'network-config': 'version: 2\n',
    };
    const disc = makeDisc(join(directory, 'offline.iso'), 'cidata', files);
    const { result } = await find('nc', {
      scenario: 'ec2',
      what: 'offline',
      prepare: (one) => one.disk('sr0', disc),
    });
    const onNode = await findOffline(machine.system, POLICY);
    const asText = JSON.stringify(onNode, (_key, value: unknown) =>
      value instanceof Uint8Array ? Buffer.from(value).toString() : value,
    );
    expect(JSON.stringify(result)).toBe(asText);
    expect(result).toMatchObject({ source: 'nocloud', instanceId: 'i1', userData: USER_DATA });
  });

  test('an address with TLS needs curl', async () => {
    const prepare = (one: FakeMachine): void =>
      one.write('/proc/cmdline', 'cloud-config-url=https://169.254.169.254/config');
    const { result } = await find('nc', { scenario: 'seed', prepare });
    expect(result).toMatchObject({ fault: 'http.tls' });
  });
});
