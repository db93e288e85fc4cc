/** What may be on the medium after a power cut: all possibilities where they are few, else a sample that favours the telling ones. */
import { landed, type Medium, type Random } from './medium.ts';

/** Sectors of one kind: a whole kind often lands or not together. */
export type KindOf = (sector: number) => string;

/** At most `count` media. */
export function* landings(medium: Medium, kindOf: KindOf, random: Random, count: number): Generator<Medium> {
  const sectors = [...medium.pending];
  const total = sectors.reduce((product, [, versions]) => Math.min(1e9, product * (versions.length + 1)), 1);
  if (total <= count) {
    for (let number = 0; number < total; number++) {
      let rest = number;
      yield landed(medium, (_, versions) => {
        const choice = rest % (versions + 1);
        rest = Math.floor(rest / (versions + 1));
        return choice;
      });
    }
    return;
  }
  yield landed(medium, () => 0);
  yield landed(medium, (_, versions) => versions);
  for (let index = 2; index < count; index++) yield oneLanding(medium, kindOf, random);
}

export function oneLanding(medium: Medium, kindOf: KindOf, random: Random): Medium {
  const kinds = new Map<string, boolean>();
  const pick = Math.floor(random() * medium.pending.size);
  const strategy = Math.floor(random() * 6);
  let index = 0;
  return landed(medium, (sector, versions) => {
    const mine = index++ === pick;
    const some = versions === 1 || random() < 0.5 ? versions : 1 + Math.floor(random() * versions);
    switch (strategy) {
      case 0:
        return mine ? some : 0;
      case 1:
        return mine ? Math.floor(random() * versions) : some;
      case 2:
        return random() < 0.5 ? some : 0;
      case 3:
        return random() < 0.5 ? 0 : versions;
      default: {
        const kind = kindOf(sector);
        if (!kinds.has(kind)) kinds.set(kind, random() < 0.5);
        return kinds.get(kind)! ? some : 0;
      }
    }
  });
}
