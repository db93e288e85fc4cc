/** slipd, the supervisor: started by init, started again whenever it ends. */
import { createQuickJsSystem } from '../../system/quickjs.ts';
import { runDaemon } from './daemon.ts';

runDaemon(createQuickJsSystem());
