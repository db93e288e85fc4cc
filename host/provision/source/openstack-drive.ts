/** OpenStack's config drive: the files of its metadata service on a disk. docs/datasources/openstack.md */
import { present } from './files.ts';
import type { Seed } from './found.ts';
import type { Medium } from './medium/devices.ts';

const LABELS = ['config-2', 'CONFIG-2'];
const FOLDER = 'openstack/latest';

export function isConfigDrive({ labels }: Medium): boolean {
  return labels.some((label) => LABELS.includes(label));
}

/** `undefined` for a disk that only has the label: an older OpenStack's, or none's. */
export function readConfigDrive(medium: Medium): Seed | undefined {
  const rawMetaData = medium.file(`${FOLDER}/meta_data.json`);
  if (rawMetaData === undefined) return undefined;
  const documents = present({
    rawMetaData,
    userData: medium.file(`${FOLDER}/user_data`),
    vendorData: medium.file(`${FOLDER}/vendor_data.json`),
    networkConfig: medium.file(`${FOLDER}/network_data.json`),
  });
  return { source: 'openstack', origin: `${medium.path} (${medium.labels[0] ?? ''})`, documents, notes: [] };
}
