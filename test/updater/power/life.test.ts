/** Whole life cycles of a machine, with the power cut behind every change of the disk (issue 3, power cuts (a)). SLIPWAY_TEST_FULL=1 explores thousands more. */
import { describe, expect, test } from 'vitest';
import { Violation } from './firmware.ts';
import { explore, type Life } from './explore.ts';
import { LIVES } from './lives.ts';
import { PROTOCOL, startUp } from './machine.ts';
import { randomFrom } from './medium.ts';
import { makeWorld } from './world.ts';

const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const EXTENTS = FULL
  ? [1, 2, 3, 4].map((seed) => ({ seed, landings: 60, recoverEvery: 3 }))
  : [{ seed: 7, landings: 10, recoverEvery: 40 }];

describe('wherever the power is cut, the old or the new version comes up, whole, and the next update is committed:', () => {
  test.each(Object.values<Life>(LIVES).map((life) => [life.name, life] as const))(
    '%s',
    async (_, life) => {
      let [disks, recoveries] = [0, 0];
      for (const extent of EXTENTS) {
        const explored = await explore(life, PROTOCOL, extent);
        disks += explored.disks;
        recoveries += explored.recoveries;
      }
      expect(disks).toBeGreaterThan(80);
      expect(recoveries).toBeGreaterThan(1);
    },
    600_000,
  );
});

describe('what is not possible is refused before anything is changed:', () => {
  const machineFrom = (start: Parameters<typeof makeWorld>[0]): ReturnType<typeof startUp> =>
    startUp(makeWorld(start), { protocol: PROTOCOL, tick: () => undefined, random: randomFrom(1) });

  test('an ESP that takes no writing', async () => {
    const machine = machineFrom({ version: '1.0.0', before: '0.9.0', espReadOnly: true });
    const before = new Map(machine.world.medium.durable);
    await expect(machine.update('1.1.0')).rejects.toMatchObject({
      code: 'switch.esp',
      message: expect.stringContaining('read-only') as string,
    });
    expect(machine.world.medium.durable).toEqual(before);
    expect(machine.world.medium.pending.size).toBe(0);
  });

  test('an ESP that is full of what is not ours', async () => {
    const files = { 'EFI/Microsoft/large.bin': new Uint8Array(4096 * 50) };
    const machine = machineFrom({ version: '1.0.0', before: '0.9.0', clusters: 300, files });
    await expect(machine.update('1.1.0')).rejects.toMatchObject({ code: 'switch.esp-full' });
    await machine.restart();
    expect(await machine.running()).toMatchObject({ version: '1.0.0', trial: false });
  });
});

test('a state partition without one free byte stops no way back, where there is a record', async () => {
  const world = makeWorld({ version: '1.0.0', before: '0.9.0', behaviour: { '1.1.0': 'unhealthy' } });
  const options = { protocol: PROTOCOL, tick: () => undefined, random: randomFrom(1) };
  const machine = startUp(world, options);
  while (!(await machine.running()).trial) await machine.step('1.1.0');
  const full = startUp({ ...world, stateFull: true }, options);
  await full.update('1.1.0');
  expect(await full.running()).toMatchObject({ version: '1.0.0', trial: false });
  expect((await full.record()).failed).toMatchObject([
    { version: '1.1.0', reason: 'a gate is not healthy', returned: true },
  ]);
});

test('the exploration sees what it looks for: a UKI that is switched to without being flushed', async () => {
  const protocol = {
    ...PROTOCOL,
    install: PROTOCOL.install.filter(({ label }) => label !== 'install.sync-file'),
  };
  const careless = {
    ...protocol,
    switch: protocol.switch.filter(({ label }) => !label.startsWith('switch.sync')),
  };
  await expect(explore(LIVES.second, careless, { seed: 1, landings: 20, recoverEvery: 8 })).rejects.toThrow(
    Violation,
  );
});
