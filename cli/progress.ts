/** Draws progress on stderr: step names with their times; downloads as a bar on a terminal, as plain lines without one. */
import type { Progress } from '../builder/progress.ts';

export function terminalProgress(stream: NodeJS.WriteStream = process.stderr): Progress {
  let bar = '';
  let lastPlainLine = 0;
  const clear = (): void => {
    if (bar === '') return;
    stream.write(`\r\x1b[K`);
    bar = '';
  };
  return {
    async step(name, work) {
      const start = performance.now();
      const result = await work();
      clear();
      stream.write(`  ${name.padEnd(12)} ${((performance.now() - start) / 1000).toFixed(2)} s\n`);
      return result;
    },
    bytes(name, done, total) {
      const share = total === 0 ? 1 : Math.min(1, done / total);
      const numbers = `${(done / 1e6).toFixed(1)} of ${(total / 1e6).toFixed(1)} MB`;
      if (stream.isTTY) {
        const width = 30;
        const full = Math.round(share * width);
        bar = `  [${'#'.repeat(full)}${'.'.repeat(width - full)}] ${numbers}  ${name}`;
        stream.write(`\r\x1b[K${bar.slice(0, (stream.columns ?? 80) - 1)}`);
      } else if (Date.now() - lastPlainLine > 2000 || done === total) {
        lastPlainLine = Date.now();
        stream.write(`  fetched ${numbers}\n`);
      }
    },
    note(text) {
      clear();
      stream.write(`  ${text}\n`);
    },
  };
}
