/** Whatever a run leaves among temporary files goes with it: also of tests that were cut off. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const OURS = 'slipway-run-';

/** For vitest, once a project: the first makes it, and all workers come after. */
export default function setup(): (() => void) | undefined {
  if (tmpdir().includes(OURS)) return undefined;
  const directory = mkdtempSync(join(tmpdir(), OURS));
  // As /tmp: some tests are other users.
  chmodSync(directory, 0o1777);
  process.env['TMPDIR'] = directory;
  return () => rmSync(directory, { recursive: true, force: true });
}
