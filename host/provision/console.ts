/** What a person in front of the machine, or at its serial port, has to know: that its configuration failed, and why. */
import type { ConfigStatus } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';

const SHOWN_PROBLEMS = 8;

export function banner(status: ConfigStatus): string | undefined {
  if (status.state !== 'failed') return undefined;
  const more = status.problems.length - SHOWN_PROBLEMS;
  return [
    '',
    '*** THIS MACHINE IS NOT AS ITS CONFIGURATION WANTS IT ***',
    `    from ${status.origin ?? 'nowhere'}${status.source === null ? '' : ` (${status.source})`}`,
    ...status.problems.slice(0, SHOWN_PROBLEMS).map((problem) => `    ${plain(problem)}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
    '    Who may log in by the image still may. See: slip config status',
    '',
    '',
  ].join('\r\n');
}

export function sayOnConsole(system: System, text: string): void {
  const fd = system.open('/dev/console', { access: 'write', nonBlocking: true });
  if (fd < 0) return;
  system.write(fd, system.encode(text));
  system.close(fd);
}

/** A document may hold escape sequences; a terminal must not obey them. */
function plain(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ');
}
