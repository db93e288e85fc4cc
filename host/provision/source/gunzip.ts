/** gzip by the machine's own program; QuickJS has none. */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import { DOCUMENT_LIMIT_BYTES } from './files.ts';

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Bytes that are not packed come back as they are. Throws `provision.gzip`, also for what would become larger than a document may be. */
export async function gunzip(system: System, bytes: Uint8Array): Promise<Uint8Array> {
  if (!isGzip(bytes)) return bytes;
  system.makeDirectory(PROVISIONING_PATHS.runtime, 0o700);
  const path = `${PROVISIONING_PATHS.runtime}/packed`;
  const fd = system.open(path, { access: 'write', create: { mode: 0o600 } });
  const written = fd >= 0 && system.writeAt(fd, 0, bytes);
  if (fd >= 0) system.close(fd);
  try {
    if (!written) throw new Error(`${path} cannot be written`);
    const options = { stdinPath: path, limitBytes: DOCUMENT_LIMIT_BYTES };
    const { code, stdout } = await runProgram(system, ['gunzip', '-c'], options);
    if (code !== 0) throw new Error(`gunzip ended with ${code}`);
    return stdout;
  } catch (cause) {
    throw new SlipwayError('provision.gzip', 'a packed document cannot be unpacked', { cause });
  } finally {
    system.remove(path);
  }
}
