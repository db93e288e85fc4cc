/**
 * What provisioning adds to a boot, beside whose other work it runs: from `sysinit` to slipd's first report, on a machine with a configuration and on one that
 * nobody has configured, in turn. At a first boot that configuration is the largest of the documents that the boot tests apply, at a later one it is what it
 * was. And what its programs take, by the machine's own account (wait4(2) of what `sysinit` starts), and weigh.
 */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytecodeCompiler, inBytecode } from '../builder/build/bytecode.ts';
import { provisioningFiles } from '../builder/build/provisioning-files.ts';
import { readLock } from '../builder/lock/lock-file.ts';
import { run } from '../builder/process/run.ts';
import { openToolbox } from '../builder/tools/toolbox.ts';
import { loadImage } from '../spec/load.ts';
import { buildTestImage } from '../test/boot/image.ts';
import { META_DATA, NETWORK, userData } from '../test/boot/provision/document.ts';
import { makeFat } from '../test/host/provision/source/seed-images.ts';
import { slipShell } from './idle.ts';
import { benchMachine, firstLogin, LIMIT_MS, login, median, WORK } from './machine.ts';

export interface ProvisionResult {
  /** look.js, which finds that there is something new, and provision.js, which applies it. */
  readonly first: Stage;
  /** look.js alone. */
  readonly unchanged: Stage;
  readonly programBytes: number;
  /** Through `zstd -19`, as a download is. */
  readonly downloadBytes: number;
  readonly rounds: number;
}

/** Medians of the rounds. */
interface Stage extends Cost {
  /** By how much slipd's first report is later. */
  readonly addedMs: number;
}

const IMAGE = 'bench/images/provisioned.yaml';

interface Cost {
  readonly wallMs: number;
  /** User and system, of what it starts too. */
  readonly cpuMs: number;
  /** Largest resident size of one process. */
  readonly peakBytes: number;
}

const FILES = {
  'meta-data': META_DATA,
  'network-config': NETWORK,
  'user-data': userData({
    hostname: 'web-1',
    user: 'carol',
    greeting: 'hello',
    key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIgsVzP6K4d6b6Wn0QkKqmYMQqhsHQZ0DNm0b5JYg5qZ carol',
  }),
};

export async function benchProvision(rounds: number): Promise<ProvisionResult> {
  const directory = join(WORK, 'provision');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const source = await buildTestImage(IMAGE);
  const medium = makeFat(join(directory, 'cidata.img'), 'CIDATA', FILES);
  const boot = async (name: string, configured: boolean): Promise<Boot> => {
    const machine = await benchMachine(join('provision', name), {
      disk: source.disk,
      diskSizeBytes: source.machineDiskBytes,
      overlay: join(directory, configured ? 'disk.qcow2' : 'nobody.qcow2'),
      memoryMiB: 256,
      ...(configured
        ? { extraDisks: [{ path: medium, format: 'raw', readOnly: true, serial: 'cidata' }] }
        : {}),
    });
    try {
      const { uptimeMs } = await machine.waitForReport('started', LIMIT_MS);
      const access = await firstLogin(() => login(machine, source.user));
      await machine.waitForReport('healthy', LIMIT_MS);
      const shell = slipShell(access);
      const lines = (await shell('cd /run/slipway/boot; cat timeline; [ ! -e cost ] || cat cost')).split(
        '\n',
      );
      const entries = lines.flatMap(parse);
      const sysinit = lines.map((line) => /^([\d.]+) sysinit$/.exec(line)?.[1]).find(Boolean);
      const startMs = Math.round(uptimeMs - 1000 * Number(sysinit));
      process.stderr.write(`  ${name}: ${startMs} ms to slipd's report; ${JSON.stringify(entries)}\n`);
      await shell('sync').catch(() => undefined);
      await shell('slip poweroff').catch(() => undefined);
      await machine.exited;
      return { entries, startMs };
    } finally {
      await machine.close();
    }
  };
  const pair = async (name: string): Promise<Stage> => {
    const nobody = await boot(`${name}-nobody`, false);
    const known = await boot(name, true);
    return { ...sum(known.entries), addedMs: known.startMs - nobody.startMs };
  };
  const firsts: Stage[] = [];
  const later: Stage[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const name of ['disk', 'nobody']) await rm(join(directory, `${name}.qcow2`), { force: true });
    firsts.push(await pair(`first-${round}`));
    later.push(await pair(`later-${round}`));
  }
  return {
    first: middle(firsts),
    unchanged: middle(later),
    ...(await weight(join(directory, 'programs'))),
    rounds,
  };
}

function middle(stages: readonly Stage[]): Stage {
  const of = (field: keyof Stage): number => median(stages.map((stage) => stage[field]));
  return { addedMs: of('addedMs'), wallMs: of('wallMs'), cpuMs: of('cpuMs'), peakBytes: of('peakBytes') };
}

interface Boot {
  readonly entries: readonly Entry[];
  readonly startMs: number;
}

interface Entry extends Cost {
  readonly program: string;
}

/** `0.12 0.10 0.01 4640 /usr/bin/qjs ... look.js`, as bench/images/provisioned.yaml has it written. */
function parse(line: string): Entry[] {
  const [, wall, user, system, kib, program] =
    /^([\d.]+) ([\d.]+) ([\d.]+) (\d+) .*\/(\w+\.js)(?: boot)?$/.exec(line) ?? [];
  if (program === undefined) return [];
  const ms = (seconds?: string): number => Math.round(1000 * Number(seconds));
  return [{ program, wallMs: ms(wall), cpuMs: ms(user) + ms(system), peakBytes: 1024 * Number(kib) }];
}

function sum(entries: readonly Entry[]): Cost {
  if (!entries.some(({ program }) => program === 'look.js')) throw new Error('the boot asked nobody');
  const total = (field: 'wallMs' | 'cpuMs'): number =>
    entries.reduce((whole, entry) => whole + entry[field], 0);
  const peakBytes = Math.max(...entries.map((entry) => entry.peakBytes));
  return { wallMs: total('wallMs'), cpuMs: total('cpuMs'), peakBytes };
}

/** What `provisioning:` puts into the image: programs as they are installed, policy, filters. */
async function weight(file: string): Promise<{ programBytes: number; downloadBytes: number }> {
  const { image } = await loadImage(IMAGE);
  const lock = await readLock(IMAGE.replace('.yaml', '.lock'));
  if (image === undefined || lock === undefined) throw new Error(`${IMAGE} cannot be read`);
  const compiler = bytecodeCompiler('amd64', lock, await openToolbox(lock.tools));
  const entries = await inBytecode(await provisioningFiles(image), compiler);
  const bytes = Buffer.concat(
    entries.map((entry) =>
      entry.type === 'file' && entry.source.kind === 'bytes' ? entry.source.bytes : Buffer.of(),
    ),
  );
  await writeFile(file, bytes);
  const { stdout } = await run(['zstd', '-19', '--long=27', '-c', file]);
  return { programBytes: bytes.length, downloadBytes: stdout.length };
}
