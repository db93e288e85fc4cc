/** NoCloud: a disk with the label `cidata`, or what `ds=nocloud;...` says. docs/datasources/nocloud.md */
import { SlipwayError } from '../../../spec/error.ts';
import type { Documents, Seed } from './found.ts';
import { present } from './files.ts';
import type { Medium } from './medium/devices.ts';

const LABELS = ['cidata', 'CIDATA'];
const FILES = {
  userData: 'user-data',
  rawMetaData: 'meta-data',
  vendorData: 'vendor-data',
  networkConfig: 'network-config',
} as const;

export function isNoCloudMedium({ labels }: Medium): boolean {
  return labels.some((label) => LABELS.includes(label));
}

/** Throws `provision.empty-medium` where somebody labelled a disk and put nothing there. */
export function readNoCloudMedium(medium: Medium): Seed {
  const documents: Documents = present({
    userData: medium.file(FILES.userData),
    rawMetaData: medium.file(FILES.rawMetaData),
    vendorData: medium.file(FILES.vendorData),
    networkConfig: medium.file(FILES.networkConfig),
  });
  const origin = `${medium.path} (${medium.labels[0] ?? ''})`;
  if (Object.keys(documents).length === 0)
    throw new SlipwayError('provision.empty-medium', `${origin} holds no provisioning data`, {
      hint: `put ${Object.values(FILES).join(', ')} into its root directory`,
    });
  // cloud-init takes a disk only when it has both.
  const missing = (['userData', 'rawMetaData'] as const).filter((name) => documents[name] === undefined);
  const notes = missing.map((name) => `${origin} has no ${FILES[name]}: it counts as empty`);
  return { source: 'nocloud', origin, documents, notes };
}
