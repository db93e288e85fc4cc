/** What is explored: whole life cycles, from the situations that machines are found in. */
import { VENDORS } from '../../../updater/device/switch/boot-disk.ts';
import { Violation } from './firmware.ts';
import type { Life } from './explore.ts';
import type { Machine } from './machine.ts';
import { loaderContent, ukiContent } from './world.ts';

async function expectRunning(machine: Machine, version: string): Promise<void> {
  const running = await machine.running();
  if (running.version !== version || running.trial)
    throw new Violation(`${running.version} runs (trial: ${running.trial}), not ${version}`);
}

async function expectFailed(machine: Machine, version: string): Promise<void> {
  const { failed } = await machine.record();
  if (!failed.some((known) => known.version === version && known.returned))
    throw new Violation(`${version} is not remembered as failed`);
}

async function good(machine: Machine): Promise<void> {
  await machine.update('1.1.0');
  await machine.restart();
  await expectRunning(machine, '1.1.0');
}

async function bad(machine: Machine): Promise<void> {
  await machine.update('1.1.0');
  await expectRunning(machine, '1.0.0');
  await expectFailed(machine, '1.1.0');
  await machine.update('1.2.0');
  await expectRunning(machine, '1.2.0');
}

/** A directory in EFI/Linux, which is nobody's business, makes the names behind it lie in two sectors: here those of the last renaming of a trial. */
const crowd = 'EFI/Linux/a directory that somebody has made here, with a long name.d/file.txt';
const larger = `${crowd.slice(0, 40)} and then another forty letters, or so..${crowd.slice(40)}`;
const two = { version: '1.0.0', before: '0.9.0', files: { [crowd]: new Uint8Array(1) } } as const;
const stray = Buffer.from('chain of clusters'.padEnd(5000));

export const LIVES = {
  first: { name: 'the first update of a fresh machine', start: { version: '1.0.0' }, play: good },
  second: { name: 'an update over an older version', start: two, play: good },
  unhealthy: {
    name: 'a version whose gate fails, then a good one',
    start: { ...two, behaviour: { '1.1.0': 'unhealthy' } },
    play: bad,
  },
  panics: {
    name: 'a version whose kernel panics, then a good one',
    start: { ...two, behaviour: { '1.1.0': 'panics' } },
    play: bad,
  },
  falters: {
    name: 'a version whose kernel panics once, and whose gate fails then, then a good one',
    start: { ...two, behaviour: { '1.1.0': 'falters' } },
    play: bad,
  },
  rootless: {
    name: 'a version that cannot open its root, then a good one',
    start: { ...two, behaviour: { '1.1.0': 'rootless' } },
    play: bad,
  },
  rollback: {
    name: 'a rollback by hand, then an update',
    start: two,
    play: async (machine) => {
      await machine.update('1.1.0');
      await machine.rollback();
      await expectRunning(machine, '1.0.0');
      await expectFailed(machine, '1.1.0');
      await machine.update('1.2.0');
      await expectRunning(machine, '1.2.0');
    },
  },
  retry: {
    name: 'an orderly restart in the midst of a trial',
    start: two,
    play: async (machine) => {
      await machine.running();
      while (!(await machine.running()).trial) await machine.step('1.1.0');
      await machine.retry();
      await machine.retry();
      await machine.retry();
      await machine.retry();
      await machine.update('1.1.0');
      await expectRunning(machine, '1.1.0');
    },
  },
  three: {
    name: 'three updates in a row',
    start: { version: '1.0.0' },
    play: async (machine) => {
      for (const version of ['1.1.0', '1.2.0', '2.0.0']) await machine.update(version);
      await expectRunning(machine, '2.0.0');
    },
  },
  loader: {
    name: 'an update of the boot loader',
    start: two,
    play: async (machine) => {
      await machine.updateLoader('263');
      await machine.update('1.1.0');
      await expectRunning(machine, '1.1.0');
    },
    resume: (machine) => machine.updateLoader('263'),
  },
  rottenLoader: {
    name: 'a copy of the boot loader that has rotted, then an update',
    start: { ...two, files: { 'EFI/systemd/systemd-bootx64.efi': new Uint8Array(0) } },
    play: async (machine) => {
      await machine.mendLoader();
      await machine.update('1.1.0');
      await expectRunning(machine, '1.1.0');
    },
    resume: (machine) => machine.mendLoader(),
  },
  afterRollback: {
    name: 'an update after a rollback by hand',
    start: { version: '1.0.0', before: '0.9.0', behaviour: { '1.1.0': 'unhealthy' } },
    play: async (machine) => {
      await machine.update('1.1.0');
      await machine.update('1.2.0');
      await machine.rollback();
      await machine.update('1.3.0');
      await expectRunning(machine, '1.3.0');
    },
  },
  crowded: {
    name: 'a directory in which the new name lies in two sectors',
    start: { version: '1.0.0', before: '0.9.0', files: { [larger]: new Uint8Array(1) } },
    play: good,
  },
  strays: {
    name: 'an ESP with what a file system check left, and with names that nobody knows',
    start: {
      ...two,
      files: {
        'FSCK0000.REC': stray,
        'EFI/Linux/FSCK0001.REC': stray,
        'EFI/Linux/somebody else put this file here and it has a long name.txt': stray,
        'EFI/Linux/another file of theirs.txt': stray,
        'EFI/Microsoft/Boot/bootmgfw.efi': loaderContent('of somebody else'),
      },
    },
    play: good,
  },
  twins: {
    name: 'an ESP with stale twins of the names of old and new',
    start: {
      ...two,
      files: { 'EFI/Linux/minimal_1.0.0+2-1.efi': ukiContent('1.0.0'), 'EFI/SLIPWAY/UKI.NEW': stray },
    },
    play: good,
  },
  nearlyFull: {
    name: 'an ESP with room for one more UKI',
    // What lies there, and the reserve: 13 clusters of loaders, directories and a text, 3 for each of two UKIs, 256 kept free.
    start: { ...two, clusters: 275 },
    play: good,
  },
  foreignVariables: {
    name: 'variables of another system',
    start: two,
    play: async (machine) => {
      await machine.running();
      for (const name of ['LoaderEntryDefault', 'LoaderEntryOneShot', 'LoaderEntryPreferred'])
        await machine.disk.writeVariable(
          { name, vendor: VENDORS.loader },
          Buffer.from('minimal_1.0.0.efi\0', 'utf16le'),
        );
      await good(machine);
    },
  },
} satisfies Record<string, Life>;
