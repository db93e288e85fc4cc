import { expect, test } from 'vitest';
import type { MachineDescription, MachineService } from '../../../../spec/machine.ts';
import { initialMemory, withService, type Memory } from '../../../../host/slipd/plan/memory.ts';
import { transition } from '../../../../host/slipd/plan/transition.ts';
import { describeMachine, service } from './descriptions.ts';

const up = (memory: Memory, name: string): Memory => withService(memory, name, { phase: 'up', run: 3 });
const NONE: ReadonlySet<string> = new Set();
const names = (services: readonly MachineService[]): string[] => services.map(({ name }) => name);

function begin(...services: MachineService[]): { description: MachineDescription; memory: Memory } {
  const description = describeMachine(...services);
  return { description, memory: initialMemory(description, 0) };
}

test('nothing to do: nothing is done', () => {
  const { description, memory } = begin(service('a'), service('b'));
  const moved = transition(
    description.services,
    describeMachine(service('a'), service('b')),
    memory,
    NONE,
    5,
  );
  expect(moved).toMatchObject({ prepare: [], gone: [], leaving: NONE });
  expect(moved.memory).toBe(memory);
});

test('a new service is prepared, and waits for its first start', () => {
  const { description, memory } = begin(service('a'));
  const moved = transition(
    description.services,
    describeMachine(service('a'), service('b')),
    memory,
    NONE,
    5,
  );
  expect(names(moved.services)).toEqual(['a', 'b']);
  expect(names(moved.prepare)).toEqual(['b']);
  expect(moved.memory.services['b']).toMatchObject({ phase: 'down', wanted: true, run: 0 });
});

test('a service that is gone stops first, and is looked after until it has', () => {
  const { description, memory } = begin(service('a'), service('b'));
  const target = describeMachine(service('a'));
  const first = transition(description.services, target, up(memory, 'b'), NONE, 5);
  expect(first).toMatchObject({ gone: [], leaving: new Set(['b']) });
  expect(names(first.services)).toEqual(['a', 'b']);
  expect(first.memory.services['b']).toMatchObject({ wanted: false });
  const down = withService(first.memory, 'b', { phase: 'down' });
  const second = transition(first.services, target, down, first.leaving, 6);
  expect(second).toMatchObject({ gone: ['b'], leaving: NONE });
  expect(Object.keys(second.memory.services)).toEqual(['a']);
});

test('a service with another bundle stops, and starts anew under later numbers', () => {
  const { description, memory } = begin({ ...service('a'), bundle: '/var/1' });
  const target = describeMachine({ ...service('a'), bundle: '/var/2' });
  const first = transition(description.services, target, up(memory, 'a'), NONE, 5);
  expect(first).toMatchObject({ prepare: [], leaving: new Set(['a']) });
  const down = withService(first.memory, 'a', { phase: 'down', failures: 4 });
  const second = transition(first.services, target, down, first.leaving, 6);
  expect(second).toMatchObject({ leaving: NONE, prepare: [{ name: 'a', bundle: '/var/2' }] });
  expect(second.memory.services['a']).toMatchObject({ wanted: true, run: 3, failures: 0 });
});

test('changed its mind before the old one was down: the old one is stopped, then started', () => {
  const { description, memory } = begin(service('a'), service('b'));
  const first = transition(description.services, describeMachine(service('a')), up(memory, 'b'), NONE, 5);
  const back = transition(first.services, description, first.memory, first.leaving, 6);
  // It is told to stop already: it starts again when it is down.
  expect(back.memory.services['b']).toMatchObject({ wanted: false, restartWhenDown: true });
  expect(back.leaving).toEqual(NONE);
});
