/** The program that QuickJS runs in quickjs.test.ts: a file of cases in, a file of results out, one line each. */
import { createQuickJsSystem } from '../../../../system/quickjs.ts';
import { readCase, type Case } from './machine-reader.ts';

const system = createQuickJsSystem();
const [input = '', output = ''] = system.arguments;
const lines: string[] = [];
for (const one of JSON.parse(system.readText(input) ?? '[]') as Case[]) lines.push(await readCase(one));
system.writeText(output, lines.join('\n'));
