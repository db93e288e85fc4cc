/** Where the power is cut: behind each labelled step of the protocol, in its order, and at random moments. */
import { COMMIT_SLOT_STEPS } from '../../../updater/device/switch/commit-slot.ts';
import { CONFIRM_STEPS } from '../../../updater/device/switch/confirm.ts';
import { INSTALL_UKI_STEPS } from '../../../updater/device/switch/install-uki.ts';
import { PREPARE_STEPS } from '../../../updater/device/switch/prepare.ts';
import { SWITCH_STEPS } from '../../../updater/device/switch/switch-to.ts';

/** `random`: while `apply` runs. Anything else is the label of a step, behind which the machine is cut off. */
export type Cut = 'random' | (string & {});
/** The cuts of one machine's life, from the old version to the new one committed. Each `apply` comes farther than the one before. */
export type Life = readonly Cut[];

/** For every run: one of each kind that matters most. */
export const FEW: Life = [
  'prepare.zero-superblock',
  'random',
  'install.write',
  'switch.rename',
  'switch.sync-place',
  'confirm.rename',
];

const labels = (steps: readonly { readonly label: string }[]): readonly string[] =>
  steps.map(({ label }) => label);

/** `count` cuts: all labels when there are enough, and random ones from there on; else every so many of all. */
export function plannedLives(count: number): readonly Life[] {
  if (count <= FEW.length) return [FEW.slice(0, count)];
  const all = everyLabel();
  const total = all.flat().length;
  if (count >= total) {
    const random: Life[] = [];
    for (let left = count - total; left > 0; left -= RANDOM_A_LIFE)
      random.push(Array<Cut>(Math.min(left, RANDOM_A_LIFE)).fill('random'));
    return [...all, ...random];
  }
  let index = 0;
  const isTaken = (): boolean => {
    const before = Math.floor((index * count) / total);
    index += 1;
    return Math.floor((index * count) / total) > before;
  };
  return all.map((life) => life.filter(isTaken)).filter((life) => life.length > 0);
}

const RANDOM_A_LIFE = 5;

/**
 * Once the new UKI has its name, the next start is the trial, so of the steps behind it one life can have one; and a trial has three tries, so it can have
 * two cuts, one before the name without a counter is durable, and one behind it.
 */
function everyLabel(): readonly Life[] {
  const switching = split(labels(SWITCH_STEPS), 'switch.rename');
  const confirming = split(labels(CONFIRM_STEPS), 'confirm.rename');
  const early = [
    ...[PREPARE_STEPS, COMMIT_SLOT_STEPS, INSTALL_UKI_STEPS].flatMap(labels),
    ...switching.until,
  ];
  const lives: Life[] = [];
  const count = Math.max(switching.from.length + 1, confirming.until.length, confirming.from.length);
  for (let index = 0; index < count; index += 1) {
    const late = switching.from[index - 1] ?? 'random';
    const confirm = [confirming.until[index], confirming.from[index]].filter((cut) => cut !== undefined);
    lives.push([...(index === 0 ? early : [late]), ...confirm]);
  }
  return lives;
}

function split(
  all: readonly string[],
  last: string,
): { readonly until: readonly string[]; readonly from: readonly string[] } {
  const end = all.indexOf(last) + 1;
  if (end === 0) throw new Error(`no step is called ${last}`);
  return { until: all.slice(0, end), from: all.slice(end) };
}
