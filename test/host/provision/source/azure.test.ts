/** Azure's disc is there at the first start alone: what stood on it is kept, for that machine and no other. */
import { expect, test } from 'vitest';
import { withCustomData } from '../../../../host/provision/source/azure.ts';
import type { Found } from '../../../../host/provision/source/found.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const CUSTOM = bytes('#cloud-config\nhostname: custom\n');
const NOTE = 'no disc with ovf-env.xml: there may be custom data that was not read';

/** As the metadata service has it, without a disc. */
const ASKED: Found = {
  source: 'azure',
  origin: 'http://169.254.169.254/',
  instanceId: 'vm-1',
  userData: bytes('#cloud-config\nhostname: user-data\n'),
  metaData: { publicKeys: [], variables: {} },
  platformFacts: { cloudName: 'azure' },
  notes: [NOTE],
};
/** As it was adopted with the disc in the drive. */
const ADOPTED: Found = { ...ASKED, userData: CUSTOM, seed: { userData: CUSTOM }, notes: [] };

test('once the disc is gone, its custom data goes before user data as it did', () => {
  expect(withCustomData(ASKED, ADOPTED)).toEqual(ADOPTED);
});

test.each([
  ['the machine is another one', ASKED, { ...ADOPTED, instanceId: 'vm-2' }],
  ['nothing stood on the disc', ASKED, { ...ASKED, seed: {}, notes: [] }],
  ['nothing was adopted', ASKED, undefined],
  ['it was adopted by another source', ASKED, { ...ADOPTED, source: 'nocloud' }],
  ['there is a disc', { ...ASKED, notes: [] }, ADOPTED],
] as const)('what the service says counts where %s', (_, asked, adopted) => {
  expect(withCustomData(asked, adopted)).toEqual(asked);
});
