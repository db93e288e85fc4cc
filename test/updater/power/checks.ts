/** What must hold of every disk that a power cut can leave. */
import { decodeRecord } from '../../../updater/device/switch/record.ts';
import type { UpdateRecord } from '../../../updater/device/switch/record-content.ts';
import { loaderState, LOADERS, readMenu, startMachine, Violation } from './firmware.ts';
import type { Medium, Random } from './medium.ts';
import { recordBytes } from './simulated-disk.ts';
import { knownVersions, rootIn, type World } from './world.ts';

/** The same machine, with this on its disk. */
export function withMedium(world: World, medium: Medium): World {
  return { ...world, medium };
}

/** `world` is at rest: nothing of it is pending. It is not changed. Throws Violation. */
export async function checkWorld(world: World, random: Random): Promise<void> {
  checkMenu(world);
  checkSlots(world);
  for (const path of LOADERS)
    if (loaderState(world, path) === 'garbage')
      throw new Violation(`the boot loader ${path} is half-written`);
  const copy = withMedium(world, {
    durable: new Map(world.medium.durable),
    pending: new Map(),
    withoutInodes: new Map(),
  });
  const { running, first } = await startMachine(copy, () => undefined, random);
  const { mayRun, good, next } = world.ledger;
  if (!mayRun.has(running.version)) throw new Violation(`${running.version} runs, which nobody asked for`);
  if (!running.trial && !good.has(running.version))
    throw new Violation(`${running.version} runs without a counter, and has never proven itself`);
  if (next !== undefined && first !== next)
    throw new Violation(`${next} was to be started next, and it was ${first}`);
}

/** A superblock is in a slot only when all of its content is. */
function checkSlots(world: World): void {
  for (const slot of ['a', 'b'] as const)
    for (const version of knownVersions())
      if (rootIn(world, slot, version) === 'torn')
        throw new Violation(`slot ${slot} says that it holds ${version}, and holds a part of it`);
}

/** Whatever is on the menu and whole has a root; whatever is counted is remembered. */
function checkMenu(world: World): void {
  const { record, sequence } = readRecord(world);
  const { ledger } = world;
  if (sequence < ledger.sequence) throw new Violation('the update record has fallen behind what was flushed');
  const isFailed = (version: string): boolean => record.failed.some((failed) => failed.version === version);
  for (const { name, version, tries, whole } of readMenu(world)) {
    if (!whole) continue;
    if (rootIn(world, 'a', version) !== 'whole' && rootIn(world, 'b', version) !== 'whole')
      throw new Violation(`${name} is there, and no slot holds its root`);
    if (!world.recordExists && world.stateFull) continue;
    if (
      tries !== undefined &&
      !isFailed(version) &&
      record.trial?.version !== version &&
      !ledger.good.has(version)
    )
      throw new Violation(`${name} is counted, and the record knows of no trial`);
    // A good one may count down where there was a counted twin of it; a rollback leaves no such trace.
    if (
      tries?.left === 0 &&
      !isFailed(version) &&
      record.trial?.version !== version &&
      !(ledger.good.has(version) && tries.done > 0)
    )
      throw new Violation(`${name} was given up, and the record does not say so`);
  }
  for (const version of ledger.failed)
    if (!isFailed(version) && !(world.stateFull && !world.recordExists))
      throw new Violation(`${version} failed, and that is forgotten`);
}

function readRecord(world: World): { record: UpdateRecord; sequence: number } {
  return decodeRecord(recordBytes(world));
}
