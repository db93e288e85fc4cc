import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { slipwayRoot } from '../own-files.ts';

/** A script that runs on the machine that is taken over. */
export function takeoverScript(name: 'probe.sh' | 'write.sh'): string {
  return readFileSync(join(slipwayRoot(), 'builder/takeover/scripts', name), 'utf8');
}
