/** Under QuickJS: parses a header, applies its first patch, and tells how long that took: `qjs -m main.js HEADER PATCH WINDOW OUTPUT`. */
import { createQuickJsSystem } from '../../../system/quickjs.ts';
import { parseHeader } from '../../../updater/payload/header.ts';
import { applyPatch } from '../../../updater/payload/patch.ts';

const system = createQuickJsSystem();

function read(path: string): Uint8Array {
  const fd = system.open(path, { access: 'read' });
  const bytes = system.readAt(fd, 0, system.status(path)?.sizeBytes ?? 0);
  system.close(fd);
  if (bytes === 'failed') throw new Error(path);
  return bytes;
}

const [headerPath = '', patchPath = '', windowPath = '', output = ''] = system.arguments;
const started = system.uptimeMs();
const { operations } = parseHeader(read(headerPath));
const parsed = system.uptimeMs();
const operation = operations.find(({ kind }) => kind === 'patch');
const [patch, window] = [read(patchPath), read(windowPath)];
const loaded = system.uptimeMs();
const result = applyPatch(patch, window, operation?.target.sizeBytes ?? 0);
const applied = system.uptimeMs();
// What a loop over each byte would have cost at this moment on this machine.
const loop = new Uint8Array(result.length);
for (let index = 0; index < loop.length; index += 1)
  loop[index] = (window[index] ?? 0) + (patch[index & 1023] ?? 0);
const looped = system.uptimeMs();
const fd = system.open(output, { access: 'write', create: { mode: 0o600 } });
system.writeAt(fd, 0, result);
system.close(fd);
system.writeText(
  `${output}.json`,
  JSON.stringify({
    operations: operations.length,
    parseMs: parsed - started,
    applyMs: applied - loaded,
    loopMs: looped - applied,
  }),
);
