/** What `slip status` says of updates. */
import { expect, test } from 'vitest';
import { readFacts } from '../../../host/slipd/facts.ts';
import { createNodeSystem } from '../../../system/node.ts';
import type { MachineDescription } from '../../../spec/machine.ts';
import type { System } from '../../../system/system.ts';

/** switch.js has left this in /run. */
function summaryLeft(text: string | undefined): System {
  return {
    ...createNodeSystem(),
    readText: (path) => (path === '/run/slipway/update.json' ? text : undefined),
  };
}

const DESCRIPTION = { services: [] } as unknown as MachineDescription;
const notes = (text: string | undefined): readonly string[] =>
  readFacts(summaryLeft(text), DESCRIPTION, 'none').notes;

test('what the scrub found rotten is among the problems', () => {
  const alarms = ['the UKI of 1.0.0 is rotten: there is no good copy of it here'];
  expect(notes(JSON.stringify({ next: null, failed: [], alarms }))).toEqual(alarms);
});

test.each([undefined, '{', '{"next":null,"failed":[]}'])('no alarm: %s', (text) => {
  expect(notes(text)).toEqual([]);
});
