/** provision.js: `boot` (by sysinit), `online` and `revert` (by slipd), `config ...` (by `slip config`, through slipd). */
import { createQuickJsSystem } from '../../system/quickjs.ts';
import { runProvision } from './provision.ts';

await runProvision(createQuickJsSystem());
