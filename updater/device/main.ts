/** `qjs -m update.js COMMAND ...`: one update, end to end. Started by slipd, for operators and by its timer; nothing of it stays. */
import { createQuickJsSystem } from '../../system/quickjs.ts';
import { watchInterrupts } from './interrupt.ts';
import { describeError } from './output.ts';
import { MACHINE_PARTS } from './parts.ts';
import { runUpdate } from './update.ts';

const system = createQuickJsSystem();
const checkInterrupted = watchInterrupts(system);
runUpdate(system, system.arguments, { parts: MACHINE_PARTS, checkInterrupted }).then(
  (code) => system.exit(code),
  (error: unknown) => {
    system.log(describeError(error).message);
    system.exit(1);
  },
);
