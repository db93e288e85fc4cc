/** What firmware says -> which service is asked. Values as cloud-init's tests/unittests/test_ds_identify.py has them, and as machines have that are nobody's. */
import { describe, expect, test } from 'vitest';
import type { Dmi } from '../../../../host/provision/source/dmi.ts';
import { isVmware, onlineSource, type OnlineSource } from '../../../../host/provision/source/platform.ts';

const NOBODY: Dmi = {
  systemVendor: '',
  productName: '',
  productSerial: '',
  productUuid: '',
  boardVendor: '',
  boardSerial: '',
  biosVendor: '',
  chassisAssetTag: '',
  chassisSerial: '',
  hypervisorUuid: '',
};
const EC2_UUID = 'EC23AEF5-54BE-4843-8D24-8C819F88453E';
const AZURE_TAG = '7783-7084-3265-9085-8269-3286-77';

const CASES: readonly (readonly [string, Partial<Dmi>, OnlineSource | undefined])[] = [
  [
    'EC2 on Nitro',
    { systemVendor: 'Amazon EC2', productName: 'm5.large', productUuid: EC2_UUID.toLowerCase() },
    'ec2',
  ],
  [
    'EC2 on Nitro, bare metal',
    { systemVendor: 'Amazon EC2', productName: 'i3.metal', biosVendor: 'Amazon EC2' },
    'ec2',
  ],
  ['EC2 on arm64', { systemVendor: 'Amazon EC2', productName: 'm6g.large', biosVendor: 'Amazon EC2' }, 'ec2'],
  [
    'EC2 with a byte-swapped UUID',
    { systemVendor: 'Amazon EC2', productUuid: '45E12AEC-DCD1-B213-94ED-01234567ABCD' },
    'ec2',
  ],
  [
    'EC2 on Xen',
    { systemVendor: 'Xen', productUuid: EC2_UUID, productSerial: EC2_UUID.toLowerCase() },
    'ec2',
  ],
  [
    'EC2 on Xen, by the hypervisor',
    { systemVendor: 'Xen', hypervisorUuid: 'ec2c6e2f-5fac-4fc7-9c82-74127ec14bbb' },
    'ec2',
  ],
  [
    'a UUID that begins with ec2 by chance',
    { systemVendor: 'QEMU', productUuid: EC2_UUID, productSerial: 'Q35-1' },
    undefined,
  ],
  ['a UUID that begins with ec2, and no serial', { productUuid: EC2_UUID }, undefined],
  [
    'a swapped UUID of somebody else',
    { systemVendor: 'QEMU', productUuid: '45E12AEC-DCD1-B213-94ED-01234567ABCD' },
    undefined,
  ],
  ['Brightbox speaks version 1 only', { productSerial: 'srv-otuxg.gb1.brightbox.com' }, undefined],
  ['ZStack speaks version 1 only', { chassisAssetTag: '123456.zstack.io' }, undefined],
  ['e24cloud speaks version 1 only', { systemVendor: 'e24cloud' }, undefined],
  [
    'Outscale speaks version 1 only',
    { systemVendor: '3DS Outscale VM', productName: '3DS Outscale VM' },
    undefined,
  ],
  [
    'GCE',
    { systemVendor: 'Google', productName: 'Google Compute Engine', productSerial: 'GoogleCloud-8f2e88f' },
    'gce',
  ],
  ['GCE by its serial number', { productSerial: 'GoogleCloud-8f2e88f' }, 'gce'],
  ['GCE by its older product name', { productName: 'Google' }, 'gce'],
  ['a Chromebook', { systemVendor: 'Google', productName: 'Eve', productSerial: '5CD7123' }, undefined],
  [
    'Azure',
    { systemVendor: 'Microsoft Corporation', productName: 'Virtual Machine', chassisAssetTag: AZURE_TAG },
    'azure',
  ],
  [
    'Hyper-V of one’s own',
    {
      systemVendor: 'Microsoft Corporation',
      productName: 'Virtual Machine',
      chassisAssetTag: '9843-2353-2342-2342-2345-2342-23',
    },
    undefined,
  ],
  ['OpenStack', { systemVendor: 'OpenStack Foundation', productName: 'OpenStack Nova' }, 'openstack'],
  ['OpenStack of Red Hat', { systemVendor: 'Red Hat', productName: 'OpenStack Compute' }, 'openstack'],
  [
    'Open Telekom Cloud',
    { systemVendor: 'Xen', productName: 'HVM domU', chassisAssetTag: 'OpenTelekomCloud' },
    'openstack',
  ],
  ['SAP’s cloud, on VMware', { systemVendor: 'VMware, Inc.', chassisAssetTag: 'SAP CCloud VM' }, 'openstack'],
  ['Huawei Cloud', { chassisAssetTag: 'HUAWEICLOUD' }, 'openstack'],
  ['Samsung Cloud Platform', { chassisAssetTag: 'Samsung Cloud Platform' }, 'openstack'],
  ['OpenStack’s name in the chassis', { chassisAssetTag: 'OpenStack Nova' }, 'openstack'],
  [
    'DigitalOcean',
    { systemVendor: 'DigitalOcean', productName: 'Droplet', productSerial: '2756294' },
    'digitalocean',
  ],
  ['Hetzner Cloud', { systemVendor: 'Hetzner', productName: 'vServer', productSerial: '123456' }, 'hetzner'],
  ['a dedicated server at Hetzner', { systemVendor: 'FUJITSU', productName: 'D3401-H1' }, undefined],
  ['QEMU', { systemVendor: 'QEMU', productName: 'Standard PC (Q35 + ICH9, 2009)' }, undefined],
  ['libvirt with KVM', { systemVendor: 'Red Hat', productName: 'KVM' }, undefined],
  ['Proxmox', { systemVendor: 'QEMU', productName: 'Standard PC (i440FX + PIIX, 1996)' }, undefined],
  ['VirtualBox', { systemVendor: 'innotek GmbH', productName: 'VirtualBox' }, undefined],
  ['VMware', { systemVendor: 'VMware, Inc.', productName: 'VMware Virtual Platform' }, undefined],
  ['Vultr', { systemVendor: 'Vultr' }, undefined],
  ['UpCloud', { systemVendor: 'UpCloud' }, undefined],
  ['Scaleway', { systemVendor: 'Scaleway' }, undefined],
  ['Alibaba Cloud', { systemVendor: 'Alibaba Cloud', productName: 'Alibaba Cloud ECS' }, undefined],
  ['Oracle Cloud', { systemVendor: 'QEMU', chassisAssetTag: 'OracleCloud.com' }, undefined],
  [
    'a server',
    {
      systemVendor: 'Dell Inc.',
      productName: 'PowerEdge R640',
      productSerial: '5CD7XYZ',
      chassisAssetTag: '',
    },
    undefined,
  ],
  [
    'a board without names',
    { systemVendor: 'To Be Filled By O.E.M.', productSerial: 'Default string' },
    undefined,
  ],
  ['nothing at all', {}, undefined],
];

test.each(CASES)('%s', (_name, dmi, source) => {
  expect(onlineSource({ ...NOBODY, ...dmi })).toBe(source);
});

describe('VMware', () => {
  test.each([
    [{ systemVendor: 'VMware, Inc.', productName: 'VMware Virtual Platform' }, true],
    [{ systemVendor: 'VMware, Inc.', productName: 'VMware7,1' }, true],
    [{ systemVendor: 'QEMU' }, false],
    [{}, false],
  ])('%j: %s', (dmi, is) => {
    expect(isVmware({ ...NOBODY, ...dmi })).toBe(is);
  });
});
