/** `npm run bench [-- size build boot memory update device provision debian]`: measures, prints a table, writes bench/results.json. */
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { writeFileAtomic } from '../builder/cache/directory.ts';
import { table } from '../cli/table.ts';
import { benchBoot } from './boot.ts';
import { benchBuild } from './build.ts';
import { benchDebian } from './debian/debian.ts';
import { benchMemory } from './memory.ts';
import { benchProvision } from './provision.ts';
import { benchSize } from './size.ts';
import { benchDevice } from './update/device.ts';
import { updateRows } from './update/rows.ts';
import { benchUpdate, UPDATE_IMAGES } from './update/update.ts';

const RESULTS = 'bench/results.json';
const IMAGES = ['minimal', 'tiny'];
const ROUNDS = Number(process.env['SLIPWAY_BENCH_ROUNDS'] ?? 5);

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
const milliseconds = (ms: number): string => `${Math.round(ms)} ms`;
const seconds = (ms: number): string => `${(ms / 1000).toFixed(2)} s`;

interface Row {
  readonly what: string;
  readonly value: string;
  readonly goal: string;
}

const BENCHES: Readonly<Record<string, (image: string) => Promise<{ result: object; rows: Row[] }>>> = {
  size: async (image) => {
    const result = await benchSize(image);
    const goal = image === 'tiny' ? 'at most 20 MB' : 'at most 27 MB';
    return { result, rows: [{ what: 'download', value: megabytes(result.downloadBytes), goal }] };
  },
  build: async (image) => {
    const result = await benchBuild(image, ROUNDS);
    return {
      result,
      rows: [
        { what: 'build, inputs cached', value: seconds(result.cachedMs), goal: 'under 20 s' },
        { what: 'build, one file changed', value: seconds(result.oneFileMs), goal: 'under 3 s' },
        { what: 'build, nothing changed', value: seconds(result.nothingMs), goal: 'under 0.5 s' },
        { what: 'build, peak memory', value: megabytes(result.peakBytes), goal: 'under 512 MB' },
      ],
    };
  },
  boot: async (image) => {
    const result = await benchBoot(image, ROUNDS);
    return {
      result,
      rows: [
        { what: 'boot, busybox-only initrd', value: seconds(result.bareMs), goal: '' },
        { what: 'boot, slipd runs', value: seconds(result.startedMs), goal: '' },
        { what: 'boot, all gates healthy', value: seconds(result.gatesHealthyMs), goal: '' },
        { what: 'boot, times the bare kernel', value: result.ratio.toFixed(2), goal: 'at most 2' },
      ],
    };
  },
  memory: async (image) => {
    const result = await benchMemory(image);
    return {
      result,
      rows: [
        { what: 'memory, idle', value: megabytes(result.idleBytes), goal: 'at most 48 MB' },
        {
          what: 'memory, idle, with the port for reports',
          value: megabytes(result.idleWithReportPortBytes),
          goal: '',
        },
        { what: 'memory, slipd resident', value: megabytes(result.slipdResidentBytes), goal: 'under 8 MB' },
        { what: 'memory, least -m', value: `${result.leastMiB} MiB`, goal: 'at most 256 MiB' },
      ],
    };
  },
  update: async (image) => {
    const result = await benchUpdate(image);
    return { result, rows: updateRows(result) };
  },
};

/** Not of an image in images/: an update on a machine, and what ours stands beside, with the services of `minimal`. */
const MORE: Readonly<Record<string, () => Promise<{ result: object; rows: Row[] }>>> = {
  device: async () => {
    const result = await benchDevice(ROUNDS);
    return {
      result,
      rows: [
        { what: 'security round: applying', value: seconds(result.applyMs), goal: '' },
        { what: 'security round: dd and veritysetup', value: seconds(result.copyMs), goal: '' },
        {
          what: 'security round: applying, times these',
          value: result.ratio.toFixed(2),
          goal: 'at most 1.5',
        },
        { what: 'security round: until committed', value: seconds(result.committedMs), goal: 'under 40 s' },
        { what: 'poll, nothing new: processor', value: seconds(result.pollCpuMs), goal: 'at most 0.3 s' },
        {
          what: 'poll, timestamp signed anew: processor',
          value: seconds(result.pollNewTimestampCpuMs),
          goal: 'at most 1.5 s',
        },
      ],
    };
  },
  provision: async () => {
    const result = await benchProvision(ROUNDS);
    const { first, unchanged, programBytes, downloadBytes } = result;
    return {
      result,
      rows: [
        {
          what: 'provisioning, unchanged, added',
          value: milliseconds(unchanged.addedMs),
          goal: 'at most 150 ms',
        },
        { what: 'provisioning, unchanged, its program', value: milliseconds(unchanged.wallMs), goal: '' },
        { what: 'provisioning, unchanged, processor', value: milliseconds(unchanged.cpuMs), goal: '' },
        { what: 'provisioning, first boot, added', value: seconds(first.addedMs), goal: 'at most 1 s' },
        { what: 'provisioning, first boot, its programs', value: seconds(first.wallMs), goal: '' },
        { what: 'provisioning, first boot, processor', value: seconds(first.cpuMs), goal: '' },
        { what: 'provisioning, peak memory', value: megabytes(first.peakBytes), goal: 'under 16 MB' },
        { what: 'provisioning, programs', value: megabytes(programBytes), goal: '' },
        { what: 'provisioning, of the download', value: megabytes(downloadBytes), goal: 'at most 0.3 MB' },
      ],
    };
  },
  debian: async () => {
    const result = await benchDebian(ROUNDS);
    return {
      result,
      rows: [
        { what: 'boot, busybox-only initrd', value: seconds(result.bareMs), goal: '' },
        { what: 'boot, ssh and chrony active', value: seconds(result.servicesMs), goal: '' },
        { what: 'boot, times the bare kernel', value: result.ratio.toFixed(2), goal: '' },
        { what: 'memory, idle', value: megabytes(result.idleBytes), goal: '' },
      ],
    };
  },
};

const wanted = process.argv.slice(2);
const results: Record<string, object[]> = {};
const rows: string[][] = [];
for (const [name, bench] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  for (const image of name === 'update' ? UPDATE_IMAGES : IMAGES) {
    process.stderr.write(`measuring ${name} of ${image}\n`);
    const { result, rows: found } = await bench(image);
    (results[name] ??= []).push(result);
    rows.push(...found.map(({ what, value, goal }) => [image, what, value, goal]));
  }
}
for (const [name, bench] of Object.entries(MORE)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stderr.write(`measuring ${name}\n`);
  const { result, rows: found } = await bench();
  results[name] = [result];
  rows.push(...found.map(({ what, value, goal }) => [name, what, value, goal]));
}
process.stdout.write(`${table(['image', 'what', 'measured', 'goal'], rows)}\n`);
// What was not measured this time stays as it was.
const earlier = JSON.parse(await readFile(RESULTS, 'utf8').catch(() => '{}')) as object;
const document = {
  ...earlier,
  format: '1.0',
  processor: cpus()[0]?.model ?? '',
  cores: cpus().length,
  ...results,
};
await writeFileAtomic(RESULTS, `${JSON.stringify(document, undefined, 2)}\n`);
