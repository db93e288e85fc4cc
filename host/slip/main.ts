/** `slip`: the machine's own command. */
import { createQuickJsSystem } from '../../system/quickjs.ts';
import { runSlip } from './slip.ts';

runSlip(createQuickJsSystem());
