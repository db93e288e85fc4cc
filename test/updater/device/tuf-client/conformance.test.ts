/** The client in this process, through all scenarios. */
import { describe, test } from 'vitest';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { startConformance } from './client.ts';
import { SCENARIOS } from './scenarios.ts';

const scratch = scratchDirectory();

describe('the client conforms', () => {
  test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('%s', async (_, { run }) => {
    await run(await startConformance(scratch));
  });
});
