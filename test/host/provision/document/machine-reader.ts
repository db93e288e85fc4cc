/**
 * Reads documents as a machine does, for tests: started by QuickJS (and by Node, to compare) with the paths of a file of cases (JSON: base64
 * texts) and of the file for the results, one line of JSON each.
 */
import { readDocuments } from '../../../../host/provision/document/read.ts';
import { decodeBase64 } from '../../../../spec/base64.ts';

export interface Case {
  readonly userData: string;
  readonly vendorData?: string;
}

/** Everything that reading comes to, as text: the same everywhere. Services by their nodes, without where they stand. */
export async function readCase({ userData, vendorData }: Case): Promise<string> {
  const inputs = {
    userData: decodeBase64(userData) ?? new Uint8Array(0),
    ...(vendorData === undefined ? {} : { vendorData: decodeBase64(vendorData) ?? new Uint8Array(0) }),
  };
  const result = await readDocuments(inputs, {
    variables: { v1: { instance_id: 'i-1', local_hostname: 'web' }, ds: { meta_data: {} } },
    fetch: () => Promise.resolve(undefined),
    inflate: () => Promise.resolve(undefined),
  });
  return JSON.stringify(result, (key: string, value: unknown) => {
    if (key === 'source') return undefined;
    return value instanceof Map ? [...(value as Map<unknown, unknown>)] : value;
  });
}
