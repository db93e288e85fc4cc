/** The thread that diffs (scripts/bundle.mjs makes dist/diff-worker.mjs of it). */
import { parentPort } from 'node:worker_threads';
import { runDiff, type DiffJob } from './diff-job.ts';

parentPort?.on('message', (job: DiffJob) => {
  const patch = runDiff(job);
  parentPort?.postMessage(patch, [patch.buffer as ArrayBuffer]);
});
