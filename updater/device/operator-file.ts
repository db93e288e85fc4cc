/** What operators of this machine have set and hold. The file lies on the state partition: whatever is in it, an updater comes out of it. */
import { isImageVersion } from '../../spec/version.ts';
import type { System } from '../../system/system.ts';
import { writeDurably } from './durable.ts';
import { PATHS } from './paths.ts';
import { parseLayer } from './policy/merge.ts';

export interface OperatorFile {
  /** By key of `update:`, as texts. */
  readonly settings: Readonly<Record<string, string>>;
  /** Versions that are not wanted here; `*`: none at all. */
  readonly holds: readonly string[];
}

const MAX_HOLDS = 100;

export function readOperatorFile(system: System): OperatorFile {
  const text = system.readText(PATHS.operator) ?? '';
  return { settings: parseLayer(text) ?? {}, holds: parseHolds(text) };
}

/** Throws `update.state-write`. */
export function writeOperatorFile(system: System, { settings, holds }: OperatorFile): Promise<void> {
  return writeDurably(system, PATHS.operator, `${JSON.stringify({ format: '1.0', settings, holds })}\n`);
}

function parseHolds(text: string): readonly string[] {
  try {
    const { holds } = JSON.parse(text) as { holds?: unknown };
    if (!Array.isArray(holds)) return [];
    return holds
      .filter((hold): hold is string => hold === '*' || (typeof hold === 'string' && isImageVersion(hold)))
      .slice(0, MAX_HOLDS);
  } catch {
    return [];
  }
}
