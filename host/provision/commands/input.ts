/** What `slip config validate` and `apply` are given: documents on standard input, a network configuration as a word. */
import { concatenate } from '../../../system/bytes.ts';
import type { System } from '../../../system/system.ts';
import type { Found } from '../source/found.ts';
import type { AdoptedRecord } from '../store/record.ts';

const LIMIT_BYTES = 1024 * 1024;
const CHUNK_BYTES = 65_536;

/** `undefined`: it is larger than a document may be. */
export function readInput(system: System): Uint8Array | undefined {
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const bytes = system.read(0, CHUNK_BYTES);
    if (!(bytes instanceof Uint8Array) || bytes.length === 0) return concatenate(chunks);
    chunks.push(bytes);
    total += bytes.length;
    if (total > LIMIT_BYTES) return undefined;
  }
}

/** As `slip` packed it. */
export function fromHex(digits: string): Uint8Array {
  return Uint8Array.from({ length: Math.floor(digits.length / 2) }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}

/** Documents of an operator: in place of those of the source, while the machine stays the instance that it is. */
export function operatorFound(
  userData: Uint8Array,
  networkConfig: Uint8Array | undefined,
  adopted: { readonly record: AdoptedRecord | undefined; readonly found: Found | undefined },
): Found {
  const network = networkConfig ?? adopted.found?.networkConfig;
  const vendor = adopted.found?.vendorData;
  return {
    source: 'operator',
    origin: 'slip config apply',
    instanceId: adopted.record?.instanceId ?? 'operator',
    metaData: adopted.record?.metaData ?? { publicKeys: [], variables: {} },
    platformFacts: adopted.record?.platformFacts ?? { cloudName: 'none' },
    userData,
    ...(vendor === undefined ? {} : { vendorData: vendor }),
    ...(network === undefined ? {} : { networkConfig: network }),
    notes: [],
  };
}
