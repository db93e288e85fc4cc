/** QEMU that ends before it has started a machine. */
import { SlipwayError } from '../spec/error.ts';

/** What QEMU said last, and what to do about it. */
export function notStarted(stderr: string, cause: unknown): SlipwayError {
  const hint = START_HINTS.find(([pattern]) => pattern.test(stderr))?.[1];
  const words = stderr === '' ? (cause instanceof Error ? cause.message : String(cause)) : stderr;
  return new SlipwayError('lab.qemu', `QEMU did not start: ${words}`, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  });
}

const START_HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /Failed to get .*lock/,
    'another machine is running on this disk: end it, or start this one with --snapshot',
  ],
  [/Could not set up host forwarding rule/, 'the port is in use on this workstation: choose another'],
  [/[Cc]annot (?:set up guest memory|allocate memory)/, 'give the machine less memory'],
];
