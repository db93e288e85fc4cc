/** Threads that diff, one for each core. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { slipwayRoot } from '../../../builder/own-files.ts';
import { SlipwayError } from '../../../spec/error.ts';
import type { DiffJob } from './diff-job.ts';

export interface DiffPool {
  /** Each call holds one of the threads, and waits for it. */
  readonly diff: (job: DiffJob) => Promise<Uint8Array>;
  readonly threads: number;
}

/** More threads would want more memory than they save time: each needs up to 60 MB. */
const MOST_THREADS = 8;

export async function withDiffPool<T>(work: (pool: DiffPool) => Promise<T>): Promise<T> {
  const path = join(slipwayRoot(), 'dist/diff-worker.mjs');
  if (!existsSync(path))
    throw new SlipwayError('build.not-bundled', `${path} is missing`, { hint: 'run: npm run bundle' });
  const threads = Math.min(availableParallelism(), MOST_THREADS);
  const started: Worker[] = [];
  const idle: Worker[] = [];
  const waiting: ((worker: Worker) => void)[] = [];
  const take = (): Promise<Worker> | Worker => {
    const free = idle.pop();
    if (free !== undefined) return free;
    if (started.length === threads) return new Promise((resolve) => waiting.push(resolve));
    const worker = new Worker(path);
    started.push(worker);
    return worker;
  };
  const give = (worker: Worker): void => {
    const next = waiting.shift();
    if (next === undefined) idle.push(worker);
    else next(worker);
  };
  try {
    return await work({
      threads,
      diff: async (job) => {
        const worker = await take();
        const patch = await answer(worker, job);
        give(worker);
        return patch;
      },
    });
  } finally {
    await Promise.all(started.map((worker) => worker.terminate()));
  }
}

/** Only the listeners set here are taken off again: the worker has some of its own. */
async function answer(worker: Worker, job: DiffJob): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const onMessage = (patch: Uint8Array): void => {
      settle();
      resolve(patch);
    };
    const onError = (error: Error): void => {
      settle();
      reject(error);
    };
    const onExit = (code: number): void => {
      settle();
      reject(new Error(`a diff thread ended with exit code ${code}`));
    };
    const settle = (): void => {
      worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    };
    worker.on('message', onMessage).on('error', onError).on('exit', onExit);
    worker.postMessage(job);
  });
}
