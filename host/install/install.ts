/** `[--dry-run] [--overwrite wipe] [--json] [--unattended reboot|poweroff|stay] DISK`: from the medium that this machine runs from to a disk. */
import { parseDiskChoice, type DiskChoice } from '../../spec/disk-choice.ts';
import { SlipwayError } from '../../spec/error.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { takeLock } from '../../system/lock-file.ts';
import type { System } from '../../system/system.ts';
import { readFacts, type InstallDisk, type InstallFacts } from './facts.ts';
import { chosenDisk, planInstall } from './plan.ts';
import { newTable } from './table.ts';
import { dropLeftovers, writeInstallation } from './write.ts';

const LOCK = `${MACHINE_PATHS.runtime}/install.lock`;
/** Of a verity tree; the rest of its block is zeros. */
const SUPERBLOCK_BYTES = 512;

/** @returns the exit code. */
export async function runInstall(
  system: System,
  words: readonly string[],
  print: (text: string) => void,
): Promise<number> {
  const json = words.includes('--json');
  const say = (text: string): void => print(json ? JSON.stringify({ step: text }) : `  ${text}`);
  const disk = words.at(-1) ?? '';
  const choice = parseDiskChoice(disk);
  try {
    if (choice === undefined)
      throw new SlipwayError('usage.disk', `${disk} names no disk`, {
        hint: 'write /dev/sda, serial:S123, size:480GB, smallest, or largest',
      });
    if (!takeLock(system, LOCK))
      throw new SlipwayError('install.running', 'another installation is running', {
        hint: 'it ends by itself; then try again',
      });
    try {
      // Else its disk would be in use.
      await dropLeftovers(system);
      await install(system, choice, words, { print, say, json });
    } finally {
      system.remove(LOCK);
    }
    return 0;
  } catch (error) {
    if (!(error instanceof SlipwayError)) throw error;
    const { code, message, hint = null } = error;
    if (json) print(JSON.stringify({ error: { code, message, hint } }));
    else system.log(`slip: ${message}${hint === null ? '' : `\n  hint: ${hint}`}`);
    return code === 'usage.disk' ? 2 : 1;
  }
}

interface Output {
  readonly print: (text: string) => void;
  readonly say: (text: string) => void;
  readonly json: boolean;
}

async function install(
  system: System,
  choice: DiskChoice,
  words: readonly string[],
  { print, say, json }: Output,
): Promise<void> {
  const facts = await readFacts(system);
  const { name, version } = facts.image;
  const unattended = words.includes('--unattended');
  const chosen = chosenDisk(facts, choice);
  if (unattended && holdsThis(system, facts, chosen)) {
    // The medium is still in, and the machine starts from it again: it would install for ever.
    print(`slipway: /dev/${chosen.name} holds ${name} ${version} already: take the medium out`);
    return;
  }
  const plan = planInstall(facts, choice, words.includes('wipe') ? 'wipe' : 'never');
  print(json ? JSON.stringify({ disk: plan.disk, image: facts.image }) : plan.lines.join('\n'));
  if (words.includes('--dry-run')) return;
  const table = newTable(facts.architecture, plan.disk, (count) => system.randomBytes(count));
  await writeInstallation(system, plan, table, say);
  const done = `${name} ${version} is on /dev/${plan.disk.name}`;
  print(
    json ? JSON.stringify({ done: true, message: done }) : `${done}; take the medium out, and: slip reboot`,
  );
  const then = words[words.indexOf('--unattended') + 1];
  if (unattended && then !== 'stay')
    system.spawn(['/usr/bin/slip', then === 'poweroff' ? 'poweroff' : 'reboot']);
}

/** The same root in its first slot: its verity superblock says so. Without a partition table, an earlier attempt did not come to its end. */
function holdsThis(system: System, { medium, architecture }: InstallFacts, disk: InstallDisk): boolean {
  if (medium === undefined || !disk.hasData) return false;
  const sectorBytes = disk.sectorBytes === 4096 ? 4096 : 512;
  const { partitions } = newTable(architecture, { ...disk, sectorBytes }, (count) => new Uint8Array(count));
  const at = partitions.find(({ name }) => name === 'verity-a')?.offsetBytes ?? 0;
  const [own, found] = [superblock(system, medium.verity, 0), superblock(system, `/dev/${disk.name}`, at)];
  return own !== undefined && found?.every((byte, place) => byte === own[place]) === true;
}

function superblock(system: System, device: string, offset: number): Uint8Array | undefined {
  const fd = system.open(device, { access: 'read' });
  if (fd < 0) return undefined;
  const bytes = system.readAt(fd, offset, SUPERBLOCK_BYTES);
  system.close(fd);
  return bytes !== 'failed' && bytes.length === SUPERBLOCK_BYTES ? bytes : undefined;
}
