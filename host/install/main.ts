/** `qjs -m install.js ...`: started by slipd for `slip install`, and by provisioning for `install:` (see install.ts). */
import { createQuickJsSystem } from '../../system/quickjs.ts';
import { runInstall } from './install.ts';

const system = createQuickJsSystem();
const print = (text: string): void => {
  for (let rest = system.encode(`${text}\n`); rest.length > 0;) {
    const count = system.write(1, rest);
    if (typeof count !== 'number') return;
    rest = rest.subarray(count);
  }
};
runInstall(system, system.arguments, print).then(
  (code) => system.exit(code),
  (error: unknown) => {
    system.log(String(error));
    system.exit(1);
  },
);
