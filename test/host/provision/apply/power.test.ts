/** The power goes at every single change that applying makes. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { scratch, told, type Scratch } from './scratch.ts';

let machine: Scratch;
beforeEach(() => {
  machine = scratch();
});
afterEach(() => machine.remove());

const APP = 'users: [default, {name: app}]';

test('wherever the power goes, a file is old or new, and the next run makes it right', async () => {
  const lines = [
    APP,
    'write_files:',
    '  - { path: /home/app/one, content: new, owner: app }',
    '  - { path: /var/two, content: new }',
    'hostname: web1',
  ];
  let cut = 0;
  for (let after = 0; ; after += 1) {
    machine.remove();
    machine = scratch();
    machine.write('/var/two', 'old');
    machine.powerAfter = after;
    const interrupted = await machine.run(lines).catch(() => undefined);
    const went = machine.powerAfter <= 0;
    machine.powerAfter = Infinity;
    expect(['old', 'new']).toContain(machine.read('/var/two'));
    expect([undefined, 'new']).toContain(machine.read('/var/lib/slipway/home/app/one'));
    const applied = await machine.run(lines);
    expect(told(applied)).toEqual(['users 2 applied', 'write_files 4 applied', 'hostname 6 applied']);
    expect(machine.read('/var/two')).toBe('new');
    expect(machine.ownership('/var/lib/slipway/home/app/one')).toBe('644 2000:2000');
    machine.started.length = 0;
    const again = await machine.run(lines);
    expect([after, again.changed, machine.started]).toEqual([after, false, []]);
    if (!went) {
      expect(interrupted?.changed).toBe(true);
      break;
    }
    cut += 1;
  }
  expect(cut).toBeGreaterThan(20);
}, 60_000);
