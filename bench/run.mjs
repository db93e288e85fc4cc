// Bundles bench/main.ts and runs it.
import { importBundled } from '../scripts/bundled.mjs';

await importBundled('bench/main.ts');
