/** The protocol with one thing wrong: a step left out, or exchanged with the one behind it. */
import { Violation } from './firmware.ts';
import { explore, type Extent, type Life } from './explore.ts';
import { LIVES } from './lives.ts';
import { PROTOCOL, type Protocol } from './machine.ts';

export interface Mutation {
  /** `without <label>` or `<label> before <label>`, the second being the first of both otherwise. */
  readonly name: string;
  readonly phase: keyof Protocol;
  readonly protocol: Protocol;
}

/** The lives that lead through a phase. */
const LIVES_OF: Readonly<Record<keyof Protocol, readonly (keyof typeof LIVES)[]>> = {
  prepare: ['second', 'strays'],
  commitSlot: ['second'],
  install: ['second', 'twins'],
  switch: ['crowded', 'foreignVariables'],
  confirm: ['second', 'twins'],
  fail: ['unhealthy'],
  rollback: ['rollback'],
  reconcile: ['rootless', 'twins'],
  retry: ['retry'],
  loader: ['loader'],
};

export const MUTATIONS: readonly Mutation[] = (Object.keys(PROTOCOL) as (keyof Protocol)[]).flatMap(
  (phase) => {
    const labels = PROTOCOL[phase].map(({ label }) => label);
    const reordered = (indices: readonly number[]): Protocol => ({
      ...PROTOCOL,
      [phase]: indices.map((index) => PROTOCOL[phase][index]!),
    });
    const all = labels.map((_, index) => index);
    return [
      ...labels.map((label, index) => ({
        name: `without ${label}`,
        phase,
        protocol: reordered(all.filter((other) => other !== index)),
      })),
      ...labels.slice(1).map((label, index) => ({
        name: `${label} before ${labels[index]!}`,
        phase,
        protocol: reordered(all.map((at) => (at === index ? index + 1 : at === index + 1 ? index : at))),
      })),
    ];
  },
);

/** What the exploration has against it; `undefined`: nothing. First without recoveries, which cost most. */
export async function caught({ phase, protocol }: Mutation, extent: Extent): Promise<string | undefined> {
  const lives = LIVES_OF[phase].map((key): Life => LIVES[key]);
  for (const recoverEvery of [Infinity, extent.recoverEvery]) {
    for (const life of lives) {
      try {
        await explore(life, protocol, { ...extent, recoverEvery });
      } catch (error) {
        if (error instanceof Violation) return error.message;
        throw error;
      }
    }
  }
  return undefined;
}
