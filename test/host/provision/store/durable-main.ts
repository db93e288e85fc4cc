/** `durable-main.js DIRECTORY`: writes two files there that are on the disk when it ends. */
import { writeDurable } from '../../../../host/provision/store/durable.ts';
import { createQuickJsSystem } from '../../../../system/quickjs.ts';

const system = createQuickJsSystem();
const [directory = ''] = system.arguments;
const file = (name: string): { name: string; bytes: Uint8Array } => ({ name, bytes: system.encode(name) });
void writeDurable(system, directory, [file('one'), file('two')]).then(() => system.exit(0));
