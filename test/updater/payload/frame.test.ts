/** The head of a zstd frame, against zstd itself. */
import { describe, expect, test } from 'vitest';
import { run } from '../../../builder/process/run.ts';
import { checkFrame } from '../../../updater/payload/frame.ts';

/** What the zstd of this machine makes of so many bytes. */
async function frame(sizeBytes: number, ...options: readonly string[]): Promise<Uint8Array> {
  const { stdout } = await run(['zstd', '-c', '-q', `--stream-size=${sizeBytes}`, ...options], {
    input: new Uint8Array(sizeBytes).fill(7),
  });
  return stdout;
}

test.each([1, 255, 256, 300, 65791, 65792, 100_000, 2 * 1024 * 1024])(
  'a frame of %i bytes',
  async (sizeBytes) => {
    const blob = await frame(sizeBytes);
    checkFrame(blob, sizeBytes);
    expect(() => checkFrame(blob, sizeBytes + 1)).toThrow(`holds ${sizeBytes} bytes`);
  },
);

describe('refused', () => {
  test('what is no frame, and what is a cut one', async () => {
    expect(() => checkFrame(Uint8Array.of(), 5)).toThrow('is not a zstd frame');
    expect(() => checkFrame(Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0), 5)).toThrow('is not a zstd frame');
    expect(() => checkFrame(Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0xa0), 0)).toThrow('payload');
    const cut = (await frame(300)).subarray(0, 6);
    expect(() => checkFrame(cut, 300)).toThrow(expect.objectContaining({ code: 'payload.frame' }));
  });
  test('a frame that does not say how much it holds', async () => {
    const { stdout } = await run(['zstd', '-c', '-q'], { input: new Uint8Array(300) });
    expect(() => checkFrame(stdout, 300)).toThrow('single segment');
  });
  test('a frame with a dictionary', async () => {
    const blob = Uint8Array.from(await frame(300));
    blob[4] = (blob[4] ?? 0) | 1;
    expect(() => checkFrame(blob, 300)).toThrow('dictionary');
  });
});
