// Rewrites schema/ and docs/reference/ from the definitions in spec/. A unit test fails while they are stale.
import { importBundled, root } from './bundled.mjs';

const { generateReference } = await importBundled('cli/generate-reference.ts');
for (const path of await generateReference(root)) console.log(path);
