/** A configuration that is a part of the signed image. docs/datasources/built-in.md */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { readDocument } from './files.ts';
import type { Seed } from './found.ts';

export function lookAtBuiltIn(system: System): Seed | undefined {
  const userData = readDocument(system, PROVISIONING_PATHS.builtIn);
  if (userData === undefined) return undefined;
  return { source: 'built-in', origin: 'the image', documents: { userData }, notes: [] };
}
