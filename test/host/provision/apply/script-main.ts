/** `qjs -m script-main.js SCRIPT.json`: applies one script on the machine that it runs on, and prints the result. */
import { applyScript, type Script } from '../../../../host/provision/apply/script.ts';
import { createQuickJsSystem } from '../../../../system/quickjs.ts';

const system = createQuickJsSystem();
const script = JSON.parse(system.readText(system.arguments[0] ?? '') ?? '') as Script;
void applyScript(system, script, { instanceId: 'i-1', memoryBytes: 256 * 1024 * 1024 }).then((result) => {
  system.write(1, system.encode(`${JSON.stringify(result)}\n`));
  system.exit(0);
});
