/** A machine's files and disks -> the source that is found, offline. */
import { gzipSync } from 'node:zlib';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findOffline } from '../../../../host/provision/source/find-offline.ts';
import { needsNetwork } from '../../../../host/provision/source/find-online.ts';
import { lookOffline } from '../../../../host/provision/source/look-offline.ts';
import { DATASOURCES, type DatasourceName, type ProvisioningPolicy } from '../../../../spec/provisioning.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { createFakeMachine, type FakeMachine, type Programs } from './fake-machine.ts';
import { makeDisc, makeFat, type Files } from './seed-images.ts';
import { KEY, OPENSTACK_META_DATA, OPENSTACK_NETWORK } from './services/platforms.ts';
import { smbiosTable } from './smbios-table.ts';

const directory = scratchDirectory();
const USER_DATA = '#cloud-config\nhostname: a\n';
const SEED: Files = { 'user-data': USER_DATA, 'meta-data': 'instance-id: iid-1\nlocal-hostname: web1\n' };
const PRESENT = { storage: 'present' } as const;

let machine: FakeMachine;
let programs: Programs = () => undefined;
beforeEach(() => {
  programs = () => undefined;
  machine = createFakeMachine((argv) => programs(argv));
});
afterEach(() => machine.remove());

let count = 0;
const image = (): string => join(directory, `image-${count++}`);
/** Most tests have the same ones: made once. */
const images = new Map<string, string>();
function cached(make: () => string, ...what: readonly unknown[]): string {
  const key = JSON.stringify(what);
  const found = images.get(key) ?? make();
  images.set(key, found);
  return found;
}
const fat = (label: string, files: Files): string =>
  cached(() => makeFat(image(), label, files, { sizeBytes: 1_474_560 }), 'fat', label, files);
const disc = (label: string, files: Files): string =>
  cached(() => makeDisc(image(), label, files), 'disc', label, files);
const attach = (name: string, label: string, files: Files): void => machine.disk(name, fat(label, files));

function policy(
  sources: readonly DatasourceName[] = DATASOURCES,
  platform: ProvisioningPolicy['platform'] = 'auto',
): ProvisioningPolicy {
  return {
    format: '1.0',
    sources: Object.fromEntries(sources.map((name) => [name, []])),
    scripts: 'container',
    platform,
  };
}
const find = (wanted = policy()): ReturnType<typeof findOffline> =>
  findOffline(machine.system, wanted, PRESENT);
const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();

describe('NoCloud', () => {
  test('a disk with the label', async () => {
    attach('vdb', 'cidata', {
      ...SEED,
      'network-config': 'version: 2\n',
      'vendor-data': '#cloud-config\n{}',
    });
    const found = await find();
    expect(found).toMatchObject({
      source: 'nocloud',
      origin: '/dev/vdb (cidata)',
      instanceId: 'iid-1',
      metaData: { localHostname: 'web1', publicKeys: [] },
      notes: [],
    });
    expect(text(found?.userData)).toBe(USER_DATA);
    expect(text(found?.networkConfig)).toBe('version: 2\n');
    expect(text(found?.vendorData)).toBe('#cloud-config\n{}');
    expect(found?.seed?.userData).toEqual(found?.userData);
    // Nothing was started to find it: no mount, no modprobe.
    expect(machine.started).toEqual([]);
  });

  test('a hybrid disc shows itself twice, as a disk and as its partition: it is one', async () => {
    machine.disk('sdb', disc('CIDATA', SEED));
    machine.disk('sdb1', disc('CIDATA', SEED), 'sdb');
    expect(await find()).toMatchObject({ origin: '/dev/sdb (CIDATA)', notes: [] });
  });

  test('two disks with the same content are one, and it is noted', async () => {
    attach('vdb', 'cidata', SEED);
    attach('vdc', 'CIDATA', SEED);
    expect(await find()).toMatchObject({
      origin: '/dev/vdb (cidata)',
      notes: ['/dev/vdc (CIDATA) holds the same'],
    });
  });

  test('two disks with different content are a guess: refused', async () => {
    attach('vdb', 'cidata', SEED);
    attach('vdc', 'cidata', { ...SEED, 'user-data': '#cloud-config\nusers: []\n' });
    await expect(find()).rejects.toMatchObject({
      code: 'provision.ambiguous',
      message: '/dev/vdb (cidata) and /dev/vdc (cidata) hold different provisioning data',
    });
  });

  test('the machine’s own disk is not looked at, whatever is on it', async () => {
    attach('vda', 'cidata', SEED);
    machine.disk('vda7', fat('cidata', SEED), 'vda');
    expect(await find()).toBeUndefined();
  });

  test('a label without content is told', async () => {
    attach('vdb', 'cidata', { 'user-data.txt': USER_DATA });
    await expect(find()).rejects.toMatchObject({ code: 'provision.empty-medium' });
  });

  test('without meta-data, which cloud-init would pass over, it counts as empty', async () => {
    attach('vdb', 'cidata', { 'user-data': USER_DATA });
    expect(await find()).toMatchObject({
      instanceId: 'nocloud',
      notes: ['/dev/vdb (cidata) has no meta-data: it counts as empty'],
    });
  });

  test('an id of digits alone keeps its zeros; JSON is YAML, too', async () => {
    attach('vdb', 'cidata', {
      'user-data': '',
      'meta-data': `{"instance-id": 0012, "public-keys": {"a": "${KEY}", "b": ["${KEY}", "no key", "command=\\"x\\" ${KEY}"]}}`,
    });
    expect(await find()).toMatchObject({ instanceId: '0012', metaData: { publicKeys: [KEY] } });
  });

  test('meta-data that is no YAML is told with its place', async () => {
    attach('vdb', 'cidata', { 'user-data': '', 'meta-data': 'instance-id: [\n' });
    await expect(find()).rejects.toThrow(/^meta-data:2:1: error:/);
  });

  test('meta-data that names an address is for the network', async () => {
    attach('vdb', 'cidata', { 'user-data': '', 'meta-data': 'seedfrom: http://10.0.0.1/\n' });
    expect(await find()).toBeUndefined();
    expect(await needsNetwork(machine.system, policy())).toBe(true);
  });

  test('an unlabelled disk, an empty one and a torn one are none', async () => {
    attach('vdb', 'OTHER', SEED);
    machine.write('/tmp/empty', Buffer.alloc(4096));
    machine.disk('vdc', join(machine.root, 'tmp/empty'));
    machine.write('/tmp/short', 'x');
    machine.disk('vdd', join(machine.root, 'tmp/short'));
    expect(await find()).toBeUndefined();
    expect(await needsNetwork(machine.system, policy())).toBe(false);
  });

  test('a file beyond 1 MiB is refused', async () => {
    machine.disk('sr0', makeDisc(image(), 'cidata', { ...SEED, 'user-data': 'x'.repeat(1024 * 1024 + 1) }));
    await expect(find()).rejects.toMatchObject({ code: 'provision.too-large' });
  });

  test('the SMBIOS serial number’s name and id go before the disk’s', async () => {
    machine.dmi({ product_serial: 'ds=nocloud;h=from-smbios;i=iid-smbios' });
    attach('vdb', 'cidata', SEED);
    expect(await find()).toMatchObject({
      source: 'nocloud',
      origin: '/dev/vdb (cidata)',
      instanceId: 'iid-smbios',
      metaData: { localHostname: 'from-smbios' },
    });
  });

  test('the SMBIOS serial number alone makes a machine of that name', async () => {
    machine.dmi({ product_serial: 'ds=nocloud-net;h=alone' });
    expect(await find()).toMatchObject({
      origin: 'the SMBIOS serial number',
      metaData: { localHostname: 'alone' },
    });
  });

  test.each(['nocloud', 'ds=nocloudx;h=a', '', 'VMware-42 ds=nocloud;h=a'])(
    '%j says nothing',
    async (serial) => {
      machine.dmi({ product_serial: serial });
      expect(await find()).toBeUndefined();
    },
  );
});

describe('QEMU', () => {
  const FOLDER = '/sys/firmware/qemu_fw_cfg/by_name/opt/org.slipway';
  test('fw_cfg', async () => {
    machine.write(`${FOLDER}/user-data/raw`, USER_DATA);
    machine.write(`${FOLDER}/meta-data/raw`, `instance-id: i7\npublic-keys: ["${KEY}"]\n`);
    const found = await find();
    expect(found).toMatchObject({ source: 'qemu', instanceId: 'i7', metaData: { publicKeys: [KEY] } });
    expect(text(found?.userData)).toBe(USER_DATA);
  });
  test('keys alone are slipd’s, and make no source', async () => {
    machine.write(`${FOLDER}/ssh-authorized-keys/raw`, KEY);
    expect(await find()).toBeUndefined();
  });
  test('too large', async () => {
    machine.write(`${FOLDER}/user-data/raw`, 'x'.repeat(1024 * 1024 + 1));
    await expect(find()).rejects.toMatchObject({ code: 'provision.too-large' });
  });
});

describe('SMBIOS credentials', () => {
  const table = (strings: readonly string[]): void =>
    machine.write('/sys/firmware/dmi/tables/DMI', smbiosTable(strings));
  const base64 = (value: string): string => Buffer.from(value).toString('base64');

  test('text and base64, among other strings', async () => {
    table([
      'something else',
      'io.systemd.credential:slipway.meta-data={"instance-id": "i-smbios"}',
      `io.systemd.credential.binary:slipway.user-data=${base64(`${USER_DATA}# ä`)}`,
      'io.systemd.credential:other=1',
      'io.systemd.credential:constructor=1',
      'io.systemd.stub.kernel-cmdline-extra=quiet',
    ]);
    const found = await find();
    expect(found).toMatchObject({ source: 'smbios', instanceId: 'i-smbios', notes: [] });
    expect(text(found?.userData)).toBe(`${USER_DATA}# ä`);
  });
  test('what is no base64, or there twice, is told', async () => {
    table([
      'io.systemd.credential.binary:slipway.user-data=###',
      'io.systemd.credential:slipway.meta-data=instance-id: one',
      'io.systemd.credential:slipway.meta-data=instance-id: two',
    ]);
    expect(await find()).toMatchObject({
      instanceId: 'one',
      notes: [
        'the credential slipway.user-data is not base64, and was passed over',
        'the credential slipway.meta-data is there twice: the first counts',
      ],
    });
  });
  test.each([
    ['nothing of ours', smbiosTable(['a'])],
    ['no strings', smbiosTable([])],
    ['cut off', smbiosTable(['io.systemd.credential:slipway.user-data=x']).subarray(0, 20)],
    ['noise', Buffer.alloc(300, 0x07)],
    ['empty', Buffer.alloc(0)],
  ])('%s', async (_name, bytes) => {
    machine.write('/sys/firmware/dmi/tables/DMI', bytes);
    expect(await find()).toBeUndefined();
  });
});

describe('OpenStack’s config drive', () => {
  const FILES: Files = {
    'openstack/latest/meta_data.json': JSON.stringify(OPENSTACK_META_DATA),
    'openstack/latest/user_data': USER_DATA,
    'openstack/latest/vendor_data.json': '{"static": {}, "cloud-init": "#cloud-config\\n{}"}',
    'openstack/latest/network_data.json': JSON.stringify(OPENSTACK_NETWORK),
  };
  test.each(['config-2', 'CONFIG-2'])('with the label %s', async (label) => {
    machine.disk('sr0', disc(label, FILES));
    const found = await find();
    expect(found).toMatchObject({
      source: 'openstack',
      origin: `/dev/sr0 (${label})`,
      instanceId: OPENSTACK_META_DATA.uuid,
      metaData: {
        localHostname: 'test.novalocal',
        publicKeys: [KEY],
        variables: { ds: { meta_data: { name: 'test' } } },
      },
    });
    expect(text(found?.vendorData)).toBe('#cloud-config\n{}');
    expect(JSON.parse(text(found?.networkConfig) ?? '')).toEqual({
      version: 2,
      ethernets: {
        tap1a81968a: {
          match: { macaddress: 'fa:16:3e:ed:9a:59' },
          dhcp4: false,
          dhcp6: false,
          addresses: ['192.168.1.5/23'],
          routes: [{ to: '0.0.0.0/0', via: '192.168.0.1' }],
          nameservers: { addresses: ['8.8.8.8'] },
          mtu: 1450,
        },
        tap2: {
          match: { macaddress: 'fa:16:3e:00:00:02' },
          dhcp4: true,
          dhcp6: false,
          nameservers: { addresses: ['8.8.8.8'] },
        },
      },
    });
    expect(JSON.stringify(found?.metaData)).not.toContain('secret-word');
  });
  test('goes before the metadata service', async () => {
    machine.dmi({ product_name: 'OpenStack Nova' });
    machine.disk('sr0', disc('config-2', FILES));
    expect(await find()).toMatchObject({ source: 'openstack' });
    expect(await needsNetwork(machine.system, policy())).toBe(false);
  });
  test('a label alone is none', async () => {
    machine.disk('sr0', makeDisc(image(), 'config-2', { 'ec2/latest/meta-data.json': '{}' }));
    expect(await find()).toBeUndefined();
  });
});

describe('VMware', () => {
  const guest = (values: Readonly<Record<string, string>>): void => {
    machine.dmi({ sys_vendor: 'VMware, Inc.', product_uuid: '564D1234-0000-0000-0000-000000000001' });
    machine.write('/usr/bin/vmware-rpctool', '');
    programs = ([program, argument = '']) =>
      program === '/usr/bin/vmware-rpctool' ? values[argument.replace('info-get ', '')] : undefined;
  };
  const packed = (value: string): string => gzipSync(value).toString('base64');

  test('guestinfo, packed, with its network', async () => {
    guest({
      'guestinfo.userdata': packed(USER_DATA),
      'guestinfo.userdata.encoding': 'gzip+base64',
      'guestinfo.metadata': Buffer.from(
        JSON.stringify({
          'local-hostname': 'vm1',
          network: packed('version: 2\nethernets: {}\n'),
          'network.encoding': 'gzip+base64',
        }),
      ).toString('base64'),
      'guestinfo.metadata.encoding': 'base64',
    });
    const found = await find();
    expect(found).toMatchObject({
      source: 'vmware',
      instanceId: '564d1234-0000-0000-0000-000000000001',
      metaData: { localHostname: 'vm1' },
    });
    expect(text(found?.userData)).toBe(USER_DATA);
    expect(text(found?.networkConfig)).toBe('version: 2\nethernets: {}\n');
  });
  test('what was read and written over is nothing', async () => {
    guest({ 'guestinfo.userdata': '---' });
    expect(await find()).toBeUndefined();
  });
  test('an encoding that nobody knows is told', async () => {
    guest({ 'guestinfo.userdata': 'x', 'guestinfo.userdata.encoding': 'zstd' });
    await expect(find()).rejects.toMatchObject({ code: 'provision.encoding' });
  });
  test('a packed bomb does not go off', async () => {
    guest({
      'guestinfo.userdata': gzipSync(Buffer.alloc(64 * 1024 * 1024)).toString('base64'),
      'guestinfo.userdata.encoding': 'gz+b64',
    });
    await expect(find()).rejects.toMatchObject({ code: 'provision.gzip' });
  });
  test('elsewhere rpctool is not asked', async () => {
    guest({ 'guestinfo.userdata': USER_DATA });
    machine.dmi({ sys_vendor: 'QEMU' });
    expect(await find()).toBeUndefined();
    expect(machine.started).toEqual([]);
  });
  test('the disc of an OVF environment', async () => {
    machine.disk(
      'sr0',
      makeDisc(image(), 'OVF ENV', {
        'ovf-env.xml': `<?xml version="1.0"?><!-- <Property oe:key="hostname" oe:value="wrong"/> -->
<Environment xmlns:oe="http://schemas.dmtf.org/ovf/environment/1"><PropertySection>
<Property oe:key="instance-id" oe:value="id-ovf"/><Property oe:key="hostname" oe:value="a&amp;b"/>
<Property oe:key="password" oe:value="secret-word"/>
<Property oe:key="user-data" oe:value="${Buffer.from(USER_DATA).toString('base64')}"/></PropertySection></Environment>`,
      }),
    );
    const found = await find();
    expect(found).toMatchObject({
      source: 'vmware',
      instanceId: 'id-ovf',
      metaData: { localHostname: 'a&b' },
    });
    expect(text(found?.userData)).toBe(USER_DATA);
    expect(JSON.stringify(found)).not.toContain('secret-word');
  });
});

describe('the command line and the image', () => {
  const BUILT_IN = '/usr/lib/slipway/user-data';
  test('the line is heard only where the policy hears it', async () => {
    machine.write('/proc/cmdline', 'ro ds=nocloud;h=from-line quiet\n');
    expect(await find(policy(['nocloud']))).toBeUndefined();
    expect(await find(policy(['nocloud', 'command-line']))).toMatchObject({
      source: 'command-line',
      metaData: { localHostname: 'from-line' },
    });
  });
  test('a configuration of the network in the line, packed', async () => {
    const value = gzipSync('version: 2\n').toString('base64');
    machine.write('/proc/cmdline', `ro network-config=${value}\n`);
    const found = await find();
    expect(found).toMatchObject({ source: 'command-line' });
    expect(text(found?.networkConfig)).toBe('version: 2\n');
  });
  test('an address in the line is for the network', async () => {
    machine.write('/proc/cmdline', 'cloud-config-url=http://10.0.0.1/x network-config=dmVyc2lvbjogMgo=\n');
    expect(await find()).toBeUndefined();
    expect(await needsNetwork(machine.system, policy())).toBe(true);
    expect(await needsNetwork(machine.system, policy(['nocloud']))).toBe(false);
  });
  test('what is built in comes last', async () => {
    machine.write(BUILT_IN, USER_DATA);
    expect(await find()).toMatchObject({ source: 'built-in', origin: 'the image' });
    attach('vdb', 'cidata', SEED);
    expect(await find()).toMatchObject({ source: 'nocloud' });
  });
  test('a platform with a service of its own is asked first, unless it is not heard', async () => {
    machine.write(BUILT_IN, USER_DATA);
    machine.dmi({ sys_vendor: 'Hetzner' });
    expect(await find()).toBeUndefined();
    expect(await find(policy(['built-in', 'nocloud']))).toMatchObject({ source: 'built-in' });
  });
});

describe('the policy', () => {
  test('a source that is not heard is not looked at', async () => {
    attach('vdb', 'cidata', SEED);
    expect(await find(policy(['qemu', 'smbios']))).toBeUndefined();
    expect(await find(policy([]))).toBeUndefined();
  });
  test('a platform that the image names is the only one', async () => {
    attach('vdb', 'cidata', SEED);
    expect(await find(policy(DATASOURCES, 'ec2'))).toBeUndefined();
    expect(await needsNetwork(machine.system, policy(DATASOURCES, 'ec2'))).toBe(true);
    expect(await find(policy(DATASOURCES, 'nocloud'))).toMatchObject({ source: 'nocloud' });
  });
  test('order: firmware, then disks, then the platform’s own', async () => {
    attach('vdb', 'cidata', SEED);
    machine.write('/sys/firmware/dmi/tables/DMI', smbiosTable(['io.systemd.credential:slipway.user-data=x']));
    expect(await find()).toMatchObject({ source: 'smbios' });
    machine.write('/sys/firmware/qemu_fw_cfg/by_name/opt/org.slipway/user-data/raw', USER_DATA);
    expect(await find()).toMatchObject({ source: 'qemu' });
  });
});

describe('drivers that nothing has asked for yet', () => {
  const AHCI = 'pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01';
  test('are loaded where nothing was found, and the disc behind them is', async () => {
    machine.write('/sys/bus/pci/devices/0000:00:1f.2/modalias', `${AHCI}\n`);
    programs = (argv) => {
      if (argv.includes(AHCI)) machine.write('/sys/bus/scsi/devices/0:0:0:0/modalias', 'scsi:t-0x05\n');
      if (argv.includes('scsi:t-0x05')) machine.disk('sr0', disc('cidata', SEED));
      return '';
    };
    expect(await findOffline(machine.system, policy())).toMatchObject({ origin: '/dev/sr0 (cidata)' });
    expect(machine.started).toEqual([
      ['modprobe', '-qa', AHCI],
      ['modprobe', '-qa', 'scsi:t-0x05'],
    ]);
  });
  test('are left alone where there are none, where the driver is there, or where something was found', async () => {
    machine.write('/sys/bus/pci/devices/0000:00:02.0/modalias', 'pci:v00001AF4d00001000sv0sd0bc02sc00i00\n');
    machine.write('/sys/bus/pci/devices/0000:00:03.0/modalias', `${AHCI}\n`);
    machine.write('/sys/bus/pci/devices/0000:00:03.0/driver/x', '');
    expect(await lookOffline(machine.system, policy())).toBeUndefined();
    machine.write('/sys/bus/pci/devices/0000:00:1f.2/modalias', `${AHCI}\n`);
    attach('vdb', 'cidata', SEED);
    expect(await lookOffline(machine.system, policy())).toMatchObject({ source: 'nocloud' });
    expect(machine.started).toEqual([]);
  });
});
