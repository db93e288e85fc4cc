/** What is left to be done after a commit, as the last look at it in this boot found: switch.js writes it, `slip update status` reads it. */
import { UPDATE_PATHS } from '../../../spec/update.ts';
import type { System } from '../../../system/system.ts';
import type { FollowUp } from './pending.ts';

const PATH = `${UPDATE_PATHS.runtime}/after.json`;

export function writeFollowUps(system: System, followUps: readonly FollowUp[]): void {
  system.makeDirectory(UPDATE_PATHS.runtime, 0o755);
  system.writeText(PATH, `${JSON.stringify({ format: '1.0', after: followUps })}\n`);
}

export function readFollowUps(system: System): readonly FollowUp[] {
  try {
    const { after } = JSON.parse(system.readText(PATH) ?? '') as { readonly after: readonly FollowUp[] };
    return after;
  } catch {
    return [];
  }
}
