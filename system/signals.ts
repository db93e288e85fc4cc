/** Signal numbers of Linux, the same on amd64 and arm64. */
const NAMES = (
  'HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU ' +
  'URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS'
).split(' ');
const OTHER_NAMES: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29, UNUSED: 31 };
const REALTIME_FIRST = 34;
const REALTIME_LAST = 64;

/** `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`: the number; `undefined` when there is no such signal. */
export function signalNumber(text: string): number | undefined {
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (/^\d+$/.test(name)) {
    const number = Number(name);
    return number >= 1 && number <= REALTIME_LAST ? number : undefined;
  }
  const index = NAMES.indexOf(name);
  if (index >= 0) return index + 1;
  if (OTHER_NAMES[name] !== undefined) return OTHER_NAMES[name];
  const realtime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (realtime === null) return undefined;
  const offset = Number(realtime[3] ?? '0') * (realtime[2] === '-' ? -1 : 1);
  const number = (realtime[1] === 'MIN' ? REALTIME_FIRST : REALTIME_LAST) + offset;
  return number >= REALTIME_FIRST && number <= REALTIME_LAST ? number : undefined;
}

/** `SIGKILL` for 9. */
export function signalName(number: number): string {
  const name = NAMES[number - 1];
  return name === undefined ? `signal ${number}` : `SIG${name}`;
}
