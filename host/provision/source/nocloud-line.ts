/** `ds=nocloud;s=http://10.0.0.1/;h=web1;i=iid-1`, as the SMBIOS serial number of the system or as a word of the kernel's command line. */
import { own } from '../../../spec/own.ts';
import type { Dmi } from './dmi.ts';
import type { NoCloudLine } from './found.ts';

/** The second name is cloud-init's old one. */
const WORD = /^ds=nocloud(?:-net)?(?:;|$)/i;
const KEYS: Readonly<Record<string, keyof NoCloudLine>> = {
  s: 'seedFrom',
  seedfrom: 'seedFrom',
  h: 'localHostname',
  'local-hostname': 'localHostname',
  i: 'instanceId',
  'instance-id': 'instanceId',
};
/** As dmidecode names the fields. */
const DMI_NAMES: Readonly<Record<string, keyof Dmi>> = {
  'system-manufacturer': 'systemVendor',
  'system-product-name': 'productName',
  'system-serial-number': 'productSerial',
  'system-uuid': 'productUuid',
  'baseboard-manufacturer': 'boardVendor',
  'baseboard-serial-number': 'boardSerial',
  'bios-vendor': 'biosVendor',
  'chassis-asset-tag': 'chassisAssetTag',
  'chassis-serial-number': 'chassisSerial',
};

/** `undefined` where the text is nothing of the kind. */
export function parseNoCloudLine(text: string, dmi: Dmi): NoCloudLine | undefined {
  // GRUB wants each semicolon escaped, and not every boot loader takes the backslash away again.
  const plain = text.replaceAll('\\;', ';');
  if (!WORD.test(plain)) return undefined;
  const line: Partial<Record<keyof NoCloudLine, string>> = {};
  for (const part of plain.split(';').slice(1)) {
    const at = part.indexOf('=');
    const key = own(KEYS, part.slice(0, at));
    if (at > 0 && key !== undefined) line[key] = part.slice(at + 1);
  }
  if (line.seedFrom === undefined) return line;
  const from = substituteDmi(line.seedFrom, dmi);
  return { ...line, seedFrom: from.endsWith('/') ? from : `${from}/` };
}

/** `__dmi.chassis-serial-number__`, so that one address serves many machines. What is not known stays as it is. */
function substituteDmi(url: string, dmi: Dmi): string {
  return url.replace(/__dmi\.([a-z-]+)__/g, (whole, name: string) => {
    const field = own(DMI_NAMES, name);
    return field === undefined ? whole : encodeURIComponent(dmi[field]);
  });
}
