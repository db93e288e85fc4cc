/** Each way in which a machine is handed its configuration without a platform's metadata service: what QEMU is told for it. */
import { writeFile } from 'node:fs/promises';
import { makeDisc } from '../../host/provision/source/seed-images.ts';
import { OPENSTACK_META_DATA, seedServer } from '../../host/provision/source/services/platforms.ts';
import type { MachineOptions } from '../../../lab/machine.ts';
import type { ConfigStatus } from '../../../spec/provisioning.ts';
import { insertDisc, type Disc } from './disc.ts';
import { serveMetadata, type MetadataServer } from './metadata.ts';
import { mediumPath } from './provisioned.ts';

export interface Handed {
  readonly image: string;
  /** What `slip config status` says of it. */
  readonly status: Partial<Record<keyof ConfigStatus, unknown>>;
  /** A command line that is not the signed one is no healthy boot. */
  readonly tampered?: true;
  readonly hand: (document: string) => Means | Promise<Means>;
}

export interface Means {
  readonly machine: Pick<MachineOptions, 'extraArguments' | 'extraDisks' | 'smbiosStrings'>;
  readonly disc?: Disc;
  readonly server?: MetadataServer;
}

const MINIMAL = 'images/minimal.yaml';
const UUID = '6f1c1f0a-3a0e-4c43-9f27-0d3f2b1a5e77';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

export const HANDED: Readonly<Record<string, Handed>> = {
  'a NoCloud disc in a CD drive': {
    image: MINIMAL,
    status: { source: 'nocloud', origin: '/dev/sr0 (cidata)', instanceId: 'i-disc' },
    hand: async (document) => {
      const files = { 'user-data': document, 'meta-data': 'instance-id: i-disc\n' };
      const disc = await insertDisc('nocloud', 'cidata', files);
      return { machine: { extraArguments: disc.arguments }, disc };
    },
  },
  'a NoCloud address as serial number': {
    image: MINIMAL,
    status: { source: 'nocloud', origin: `http://169.254.169.254/${UUID}/`, instanceId: 'i-serial' },
    hand: async (document) => {
      const server = await serveMetadata(
        seedServer({
          [`/${UUID}/user-data`]: document,
          [`/${UUID}/meta-data`]: 'instance-id: i-other\nlocal-hostname: other\n',
        }),
        [`type=1,uuid=${UUID},serial=ds=nocloud;s=http://169.254.169.254/__dmi.system-uuid__/;i=i-serial`],
      );
      return { machine: { extraArguments: server.arguments }, server };
    },
  },
  'SMBIOS credentials': {
    image: MINIMAL,
    status: { source: 'smbios', origin: 'SMBIOS credentials', instanceId: 'i-smbios' },
    hand: (document) => ({
      machine: {
        smbiosStrings: [
          `io.systemd.credential.binary:slipway.user-data=${base64(document)}`,
          'io.systemd.credential:slipway.meta-data={"instance-id": "i-smbios"}',
        ],
      },
    }),
  },
  'QEMU fw_cfg': {
    image: MINIMAL,
    status: { source: 'qemu', origin: 'QEMU fw_cfg', instanceId: 'i-qemu' },
    hand: async (document) => ({
      machine: {
        extraArguments: [
          ...(await firmwareFile('user-data', document)),
          ...(await firmwareFile('meta-data', 'instance-id: i-qemu\n')),
        ],
      },
    }),
  },
  'an OpenStack config drive': {
    image: MINIMAL,
    status: { source: 'openstack', origin: '/dev/vdb (config-2)', instanceId: OPENSTACK_META_DATA.uuid },
    hand: async (document) => {
      const path = makeDisc(await mediumPath('config-drive.iso'), 'config-2', {
        'openstack/latest/meta_data.json': JSON.stringify(OPENSTACK_META_DATA),
        'openstack/latest/user_data': document,
      });
      return { machine: { extraDisks: [{ path, format: 'raw', readOnly: true }] } };
    },
  },
  'the disc of an OVF environment': {
    image: MINIMAL,
    status: { source: 'vmware', origin: '/dev/sr0 (OVF ENV)', instanceId: 'i-ovf' },
    hand: async (document) => {
      const property = (key: string, value: string): string =>
        `<Property oe:key="${key}" oe:value="${value}"/>`;
      const xml = `<?xml version="1.0" encoding="UTF-8"?>
<Environment xmlns="http://schemas.dmtf.org/ovf/environment/1" xmlns:oe="http://schemas.dmtf.org/ovf/environment/1" oe:id="">
<PropertySection>${property('instance-id', 'i-ovf')}${property('password', 'secret-word')}${property('user-data', base64(document))}</PropertySection>
</Environment>\n`;
      const disc = await insertDisc('ovf', 'OVF ENV', { 'ovf-env.xml': xml });
      const firmware = ['-smbios', 'type=1,manufacturer=VMware,, Inc.,product=VMware7,,1'];
      return { machine: { extraArguments: [...firmware, ...disc.arguments] }, disc };
    },
  },
  'an address on a command line that was changed': {
    image: MINIMAL,
    status: { source: 'command-line', origin: 'http://169.254.169.254/config', instanceId: 'nocloud' },
    tampered: true,
    hand: async (document) => {
      const server = await serveMetadata(configServer(document));
      const word = 'cloud-config-url=http://169.254.169.254/config';
      return {
        machine: {
          extraArguments: server.arguments,
          smbiosStrings: [`io.systemd.stub.kernel-cmdline-extra=${word}`],
        },
        server,
      };
    },
  },
  'an address on the signed command line': {
    image: 'test/boot/images/command-line.yaml',
    status: { source: 'command-line', origin: 'http://169.254.169.254/config', instanceId: 'nocloud' },
    hand: async (document) => {
      const server = await serveMetadata(configServer(document));
      return { machine: { extraArguments: server.arguments }, server };
    },
  },
};

/** Away at first, and then elsewhere. */
function configServer(document: string): Parameters<typeof serveMetadata>[0] {
  return (request) => {
    if (request.index === 0) return { status: 503 };
    if (request.path === '/config') return { status: 302, headers: { Location: '/real/config' } };
    return seedServer({ '/real/config': document })(request);
  };
}

async function firmwareFile(name: string, text: string): Promise<readonly string[]> {
  const path = await mediumPath(`fw_cfg-${name}`);
  await writeFile(path, text);
  return ['-fw_cfg', `name=opt/org.slipway/${name},file=${path}`];
}
