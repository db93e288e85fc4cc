/**
 * VMware: guestinfo by `vmware-rpctool`, which an image that is meant for VMware brings along (31 kB of open-vm-tools: the hypervisor answers to an
 * instruction of the processor, which QuickJS cannot give), or the disc of an OVF environment, which needs nothing. docs/datasources/vmware.md
 */
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { decodeBase64 } from '../../../spec/base64.ts';
import { DOCUMENT_LIMIT_BYTES, present } from './files.ts';
import type { Documents, Seed } from './found.ts';
import { gunzip } from './gunzip.ts';
import type { Medium } from './medium/devices.ts';
import { elementAttributes } from './xml.ts';

export const RPCTOOL = '/usr/bin/vmware-rpctool';
const GUESTINFO: readonly (readonly [keyof Documents, string])[] = [
  ['rawMetaData', 'guestinfo.metadata'],
  ['userData', 'guestinfo.userdata'],
  ['vendorData', 'guestinfo.vendordata'],
];
/** What cloud-init writes over secrets that were read. */
const REDACTED = '---';
const OVF_LABELS = ['OVF-TRANSPORT', 'OVFENV', 'OVF ENV'];
const OVF_FILE = 'ovf-env.xml';

export async function lookAtGuestInfo(system: System): Promise<Seed | undefined> {
  if (system.status(RPCTOOL) === undefined) return undefined;
  const documents: Partial<Record<keyof Documents, Uint8Array>> = {};
  for (const [document, key] of GUESTINFO) {
    const value = await guestInfo(system, key);
    if (value === undefined || system.decode(value.subarray(0, 4)).trim() === REDACTED) continue;
    const encoding = await guestInfo(system, `${key}.encoding`);
    documents[document] = await decoded(system, key, value, encoding);
  }
  if (Object.keys(documents).length === 0) return undefined;
  return { source: 'vmware', origin: 'VMware guestinfo', documents: present(documents), notes: [] };
}

export function isOvfMedium({ labels }: Medium): boolean {
  return labels.some((label) => OVF_LABELS.includes(label.toUpperCase()));
}

/** `undefined` for an environment that holds nothing of ours. */
export function readOvfMedium(system: System, medium: Medium): Seed | undefined {
  const file = medium.file(OVF_FILE);
  if (file === undefined) return undefined;
  const properties = new Map(
    elementAttributes(system.decode(file), 'Property').map(({ key = '', value = '' }) => [key, value]),
  );
  const metaData = Object.fromEntries(
    (
      [
        ['instance-id', properties.get('instance-id')],
        ['local-hostname', properties.get('hostname')],
        ['public-keys', properties.get('public-keys')],
      ] as const
    ).filter(([, value]) => value !== undefined && value !== ''),
  );
  const document = (name: string): Uint8Array | undefined => {
    const value = properties.get(name);
    // By its definition base64; people paste plain text.
    return value === undefined || value === '' ? undefined : (decodeBase64(value) ?? system.encode(value));
  };
  const documents = present({
    userData: document('user-data'),
    networkConfig: document('network-config'),
    rawMetaData: Object.keys(metaData).length === 0 ? undefined : system.encode(JSON.stringify(metaData)),
  });
  if (Object.keys(documents).length === 0) return undefined;
  return { source: 'vmware', origin: `${medium.path} (${medium.labels[0] ?? ''})`, documents, notes: [] };
}

/** `undefined` where the key is not set, which rpctool says with its exit code. */
async function guestInfo(system: System, key: string): Promise<Uint8Array | undefined> {
  const { code, stdout } = await runProgram(system, [RPCTOOL, `info-get ${key}`], {
    limitBytes: 2 * DOCUMENT_LIMIT_BYTES,
  });
  return code !== 0 || stdout.length === 0 ? undefined : stdout;
}

/** As cloud-init: `base64` or `b64`, and with gzip under it `gzip+base64` or `gz+b64`. */
export async function decoded(
  system: System,
  key: string,
  value: Uint8Array,
  encoding: Uint8Array | string | undefined,
): Promise<Uint8Array> {
  const name = (
    typeof encoding === 'string' ? encoding : system.decode(encoding ?? new Uint8Array(0))
  ).trim();
  if (name === '') return value;
  if (!/^(?:gzip\+base64|gz\+b64|base64|b64)$/.test(name))
    throw new SlipwayError('provision.encoding', `${key}.encoding is '${name}', which is not known`, {
      hint: 'it is base64 or gzip+base64, or is not set for plain text',
    });
  const bytes = decodeBase64(system.decode(value));
  if (bytes === undefined) throw new SlipwayError('provision.encoding', `${key} is not base64`);
  return gunzip(system, bytes);
}
