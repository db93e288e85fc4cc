/**
 * The client as it is shipped, by Node and by the machine's QuickJS, through those scenarios that ask something of a runtime: keys, files,
 * names, fetching. What they decide is the same code in conformance.test.ts.
 */
import { execFileSync } from 'node:child_process';
import { beforeAll, describe, test } from 'vitest';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { quickJs } from '../../../host/quickjs.ts';
import { startConformance } from './client.ts';
import { SCENARIOS, type Scenario } from './scenarios.ts';

const scratch = scratchDirectory();
const CHOSEN =
  /^(basic|metadata bytes|invalid initial|a client that|new targets hash|without consistent|keys of type|root expired|targets rollback, with hashes|timestamp fast|downloads|the repository substitutes|unusual role name \.\.|delegations: (cycle|terminating ends)|target search: releases.y|delegated authority|a changed target|digests of the kind|a timestamp with (a spec|no expiry)|root rotation: (3 of 5, all|not 3 of the old)|rotation of snapshot: 3 of 5$)/;
const PROGRAM = 'dist/tuf-client.mjs';

beforeAll(() => {
  execFileSync('node', ['scripts/bundle.mjs']);
});

function chosen({ name, clock }: Scenario): boolean {
  return clock !== true && (process.env['SLIPWAY_TEST_FULL'] === '1' || CHOSEN.test(name));
}

describe.each([
  ['node', () => Promise.resolve(['node'])],
  ['qjs', quickJs],
] as const)('the client conforms under %s', (_, runtime) => {
  test.each(SCENARIOS.filter(chosen).map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    async (__, { run }) => {
      const conformance = await startConformance(scratch, [...(await runtime()), PROGRAM]);
      await run(conformance).finally(() => conformance.close());
    },
  );
});
