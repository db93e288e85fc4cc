/** Asks whoever sits at the terminal for what nobody else is to read. */
import type { System } from '../../system/system.ts';

const LIMIT_BYTES = 1024;
const INTERRUPTED = 130;

/** One line: from the terminal without showing it, else from standard input as it is. */
export function askSecret(system: System, prompt: string, done: (line: string) => void): void {
  const terminal = system.isTerminal(0);
  if (!terminal) return readLine(system, done);
  const echo = (how: 'echo' | '-echo', then: () => void): void =>
    void system.spawn(['stty', how], { stdin: 0, onExit: then });
  system.onSignal('SIGINT', () => echo('echo', () => system.exit(INTERRUPTED)));
  echo('-echo', () => {
    system.write(2, system.encode(prompt));
    readLine(system, (line) =>
      echo('echo', () => {
        system.write(2, system.encode('\n'));
        done(line);
      }),
    );
  });
}

function readLine(system: System, done: (line: string) => void): void {
  let text = '';
  system.onReadable(0, () => {
    const bytes = system.read(0, LIMIT_BYTES);
    if (bytes === 'again') return;
    const ended = bytes === 'failed' || bytes.length === 0;
    if (!ended) text += system.decode(bytes);
    if (!ended && !text.includes('\n') && text.length < LIMIT_BYTES) return;
    system.onReadable(0, undefined);
    done(text.split('\n')[0] ?? '');
  });
}
