/** The datasource of a platform, by what its firmware says: as cloud-init's tools/ds-identify does, never by asking the network. */
import type { DatasourceName } from '../../../spec/provisioning.ts';
import type { Dmi } from './dmi.ts';

export type OnlineSource = Extract<
  DatasourceName,
  'ec2' | 'gce' | 'azure' | 'openstack' | 'digitalocean' | 'hetzner'
>;

const AMAZON = 'Amazon EC2';
const AZURE_CHASSIS = '7783-7084-3265-9085-8269-3286-77';
const GOOGLE = ['Google Compute Engine', 'Google'];
const GOOGLE_SERIAL = /^GoogleCloud-/;
const OPENSTACK_PRODUCTS = ['OpenStack Nova', 'OpenStack Compute'];
/** Public clouds on OpenStack that name themselves. */
const OPENSTACK_CHASSIS = [
  'OpenTelekomCloud',
  'SAP CCloud VM',
  'HUAWEICLOUD',
  'Samsung Cloud Platform',
  ...OPENSTACK_PRODUCTS,
];
const VMWARE = /^VMware/;

/** `undefined` for a machine of nobody's, which loses no time then. */
export function onlineSource(dmi: Dmi): OnlineSource | undefined {
  if (isEc2(dmi)) return 'ec2';
  if (GOOGLE.includes(dmi.productName) || GOOGLE_SERIAL.test(dmi.productSerial)) return 'gce';
  if (dmi.chassisAssetTag === AZURE_CHASSIS) return 'azure';
  if (dmi.systemVendor === 'DigitalOcean') return 'digitalocean';
  if (dmi.systemVendor === 'Hetzner') return 'hetzner';
  if (OPENSTACK_PRODUCTS.includes(dmi.productName)) return 'openstack';
  if (OPENSTACK_CHASSIS.includes(dmi.chassisAssetTag)) return 'openstack';
  return undefined;
}

/** Its guestinfo needs no network. */
export function isVmware(dmi: Dmi): boolean {
  return VMWARE.test(dmi.systemVendor) || VMWARE.test(dmi.productName);
}

/**
 * Nitro names its vendor. Before it, Amazon's UUID began with `ec2`, and so did the serial number: one alone may be chance, or another cloud's that speaks
 * only the first version of the metadata service.
 */
function isEc2({ systemVendor, biosVendor, productUuid, productSerial, hypervisorUuid }: Dmi): boolean {
  if (systemVendor === AMAZON || biosVendor === AMAZON) return true;
  if (/^ec2/i.test(hypervisorUuid)) return true;
  return /^ec2/i.test(productUuid) && productUuid.toLowerCase() === productSerial.toLowerCase();
}
