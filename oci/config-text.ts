/** config.json as it is written. */
import { RLIMIT_UNLIMITED } from './resources.ts';
import type { OciConfig } from './runtime-spec.ts';

const UNLIMITED = new RegExp(`("(?:soft|hard)":)${RLIMIT_UNLIMITED}(?=[,}])`, 'g');

/** JSON, with the one number that JSON.stringify cannot write: a limit of 2^64-1 is "unlimited" (setrlimit(2)). */
export function configText(config: OciConfig): string {
  const { rlimits, ...process } = config.process;
  if (rlimits === undefined) return `${JSON.stringify(config)}\n`;
  const limits = JSON.stringify(rlimits).replaceAll(UNLIMITED, '$118446744073709551615');
  const rest = JSON.stringify({ ...config, process: { ...process, rlimits: PLACE } });
  return `${rest.replace(JSON.stringify(PLACE), () => limits)}\n`;
}

const PLACE = '\u0000rlimits';
