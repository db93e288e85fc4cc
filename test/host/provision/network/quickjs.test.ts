import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../../../builder/process/run.ts';
import { planNetwork } from '../../../../host/provision/network/plan.ts';
import { readNetworkConfig } from '../../../../host/provision/network/read.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { bundleForMachine, quickJs } from '../../quickjs.ts';
import { DOCUMENTS } from './documents.ts';

const scratch = scratchDirectory();

test('every document is read and planned byte for byte the same on the machine', async () => {
  const program = join(scratch, 'main.js');
  await bundleForMachine('test/host/provision/network/quickjs-main.ts', program);
  const texts = [
    ...Object.values(DOCUMENTS),
    '',
    '- not a mapping',
    'version: 2\nethernets: {é: {dhcp4: ja}}',
    '"',
  ];
  const paths = texts.map((text, index) => {
    const path = join(scratch, `${index}.yaml`);
    writeFileSync(path, text);
    return path;
  });
  const { stdout } = await run([...(await quickJs()), '--no-unhandled-rejection', '-m', program, ...paths]);
  const here = texts.map((text) => {
    const reading = readNetworkConfig(new TextEncoder().encode(text), 'network-config');
    const { config } = reading;
    const facts = { cards: [], modules: ['bonding'], dhcp6: false };
    return JSON.stringify({ reading, plan: config === undefined ? null : planNetwork(config, facts) });
  });
  expect(stdout.toString().trimEnd().split('\n')).toEqual(here);
});
