/** The client under test, in this process or as a program, and what its directories say. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { runClient } from '../../../../updater/device/tuf-client/run.ts';
import { createQuickSystem } from '../quick-system.ts';
import { createSimulator, type Simulator } from './simulator.ts';

export interface Conformance {
  readonly repository: Simulator;
  /** What the client is given at first; the repository's first root unless a test changes it. */
  root: Buffer;
  /** Milliseconds that its clock is ahead. */
  aheadMs: number;
  readonly metadataDir: string;
  init(): Promise<number>;
  refresh(): Promise<number>;
  download(...names: string[]): Promise<number>;
  version(role: string): number | undefined;
  /** Names and versions of all that it trusts. */
  trusted(): readonly (readonly [string, number])[];
  stored(role: string): Buffer | undefined;
  /** Contents of what it downloaded, in order of modification. */
  downloads(): readonly string[];
  close(): Promise<void>;
}

/** Runs its commands: exit codes. */
type Run = (argv: readonly string[], test: Conformance) => Promise<number>;

export async function startConformance(scratch: string, program?: readonly string[]): Promise<Conformance> {
  const place = mkdtempSync(join(scratch, 'client-'));
  const repository = createSimulator();
  const server = program === undefined ? undefined : await serve(repository);
  const base = server?.base ?? 'http://simulator';
  const run: Run = program === undefined ? inProcess(base) : asProgram(program);
  const metadataDir = join(place, 'metadata');
  const targetDir = join(place, 'targets');
  for (const directory of [metadataDir, targetDir]) mkdirSync(directory);
  const from = ['--metadata-url', `${base}/metadata/`, '--metadata-dir', metadataDir];
  const stored = (role: string): Buffer | undefined => {
    try {
      return readFileSync(join(metadataDir, `${role}.json`));
    } catch {
      return undefined;
    }
  };
  const test: Conformance = {
    repository,
    root: repository.published['root']![0]!,
    aheadMs: 0,
    metadataDir,
    init: () => {
      writeFileSync(join(place, 'root'), test.root);
      return run(['--metadata-dir', metadataDir, 'init', join(place, 'root')], test);
    },
    refresh: () => run([...from, 'refresh'], test),
    download: (...names) => {
      const targets = names.flatMap((name) => ['--target-name', name]);
      const to = ['--target-dir', targetDir, '--target-base-url', `${base}/targets/`];
      return run([...from, ...targets, ...to, 'download'], test);
    },
    version: (role) => versionOf(stored(role)),
    trusted: () =>
      readdirSync(metadataDir)
        .filter((name) => name.endsWith('.json'))
        .sort()
        .map((name) => name.slice(0, -'.json'.length))
        .map((role) => [role, versionOf(stored(role)) ?? 0] as const),
    stored,
    downloads: () =>
      readdirSync(targetDir)
        .map((name) => join(targetDir, name))
        .sort((a, b) => Number(statSync(a, { bigint: true }).mtimeNs - statSync(b, { bigint: true }).mtimeNs))
        .map((path) => readFileSync(path, 'utf8')),
    close: () => server?.close() ?? Promise.resolve(),
  };
  return test;
}

function versionOf(bytes: Buffer | undefined): number | undefined {
  if (bytes === undefined) return undefined;
  return (JSON.parse(bytes.toString()) as { signed: { version: number } }).signed.version;
}

function inProcess(base: string): Run {
  return (argv, { repository, aheadMs }) => {
    const system = createQuickSystem({ wallClockMs: () => Date.now() + aheadMs, log: () => undefined });
    return runClient(system, argv, (url, path, limitBytes) => {
      const bytes = repository.serve(url.slice(base.length + 1));
      if (bytes === undefined) return Promise.resolve(false);
      if (bytes.length > limitBytes) return Promise.reject(new Error(`${url} is too large`));
      writeFileSync(path, bytes);
      return Promise.resolve(true);
    });
  };
}

function asProgram([command = '', ...words]: readonly string[]): Run {
  return (argv) =>
    new Promise((resolve, reject) => {
      const child = spawn(command, [...words, ...argv], { stdio: ['ignore', 'ignore', 'ignore'] });
      child.once('error', reject);
      child.once('exit', (code) => resolve(code ?? -1));
    });
}

async function serve(repository: Simulator): Promise<{ base: string; close: () => Promise<void> }> {
  const server = createServer((request, response) => {
    const bytes = repository.serve((request.url ?? '').slice(1));
    response.writeHead(bytes === undefined ? 404 : 200, { 'Content-Length': bytes?.length ?? 0 });
    response.end(bytes);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}
