/** What a machine printed: scanned for what no boot may ever print. */

export interface ConsoleFinding {
  readonly kind: 'panic' | 'oops' | 'out-of-memory' | 'segfault' | 'file-system' | 'hang';
  /** Counting from 1. */
  readonly line: number;
  readonly text: string;
}

const PATTERNS: readonly (readonly [ConsoleFinding['kind'], RegExp])[] = [
  ['panic', /Kernel panic - not syncing/],
  ['oops', /\bOops:|BUG: |kernel BUG at|general protection fault|WARNING: CPU:|Unable to handle kernel/],
  ['out-of-memory', /Out of memory:|oom-kill:|invoked oom-killer|Memory cgroup out of memory/],
  ['segfault', /segfault at|traps: .* (?:trap|general protection)/],
  ['file-system', /EXT4-fs error|I\/O error|erofs: .*(?:corrupt|error)|device-mapper: verity: .* corrupted/],
  // Not `rcu: INFO: ... stall`: in software emulation that only says that the workstation is busy.
  ['hang', /blocked for more than \d+ seconds|soft lockup/],
];

/** Every line that speaks of a fault. An empty result is what each test expects unless it provokes one. */
export function scanConsole(text: string): ConsoleFinding[] {
  const findings: ConsoleFinding[] = [];
  for (const [index, line] of plainConsole(text).split('\n').entries()) {
    const match = PATTERNS.find(([, pattern]) => pattern.test(line));
    if (match !== undefined) findings.push({ kind: match[0], line: index + 1, text: line.trim() });
  }
  return findings;
}

/** Without the escape sequences that firmware and boot loader draw with. */
export function plainConsole(text: string): string {
  // eslint-disable-next-line no-control-regex -- escape sequences are what it removes
  return text.replace(/\x1b(?:\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[=>c])/g, '').replaceAll('\r', '');
}

/** The last lines that hold anything. */
export function consoleTail(text: string, lines = 25): string {
  return plainConsole(text)
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-lines)
    .join('\n');
}
