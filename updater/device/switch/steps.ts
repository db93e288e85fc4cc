/** A protocol is a list of labelled steps, each one durable primitive (or a check): tests leave one out, exchange two, and cut the power behind each. */
import type { BootDisk } from './boot-disk.ts';

export interface Step<Context> {
  /** `<phase>.<what>`, once in all protocols. */
  readonly label: string;
  readonly run: (context: Context) => Promise<void>;
}

/** In order. What one throws ends the row: the next run of the whole protocol goes on from what is on the disk. */
export async function runSteps<Context>(
  disk: BootDisk,
  steps: readonly Step<Context>[],
  context: Context,
): Promise<void> {
  for (const { label, run } of steps) {
    await run(context);
    await disk.reached(label);
  }
}
