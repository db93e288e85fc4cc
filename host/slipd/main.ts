/** slipd, the supervisor: started by init, started again whenever it ends. */
import { createQuickJsSystem } from '../../system/quickjs.ts';
import { runDaemon } from './daemon.ts';
import { PATHS } from './paths.ts';

const READY_POLL_MS = 5;
const system = createQuickJsSystem();

/** init starts `sysinit` and slipd side by side: that this program is read costs as much time as all that sysinit does. */
function runWhenReady(): void {
  if (system.status(PATHS.ready) === undefined) system.after(READY_POLL_MS, runWhenReady);
  else runDaemon(system);
}

runWhenReady();
