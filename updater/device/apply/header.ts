/** The header of a payload, fetched, checked against the release's digest, and only then read. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import { parseHeader, type PayloadExpectation } from '../../payload/header.ts';
import { LIMITS } from '../../payload/limits.ts';
import type { PayloadHeader } from '../../payload/operation.ts';
import type { PayloadReference } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import type { ByteStream } from '../fetch/stream.ts';
import { digestsOfFiles } from './digests.ts';
import type { ApplyContext } from './facts.ts';

/** Throws `payload.header`, and what fetching throws. */
export async function fetchHeader(
  system: System,
  { fetcher, scratch }: Pick<ApplyContext, 'fetcher' | 'scratch'>,
  reference: PayloadReference,
  expected: PayloadExpectation,
): Promise<PayloadHeader> {
  if (reference.headerBytes > Math.min(LIMITS.headerBytes, reference.sizeBytes))
    throw new SlipwayError('payload.header', 'the header of a payload is too large');
  const name = payloadName(reference.sha256);
  // Ends by `distrust`, when no mirror is left.
  for (;;) {
    const stream = fetcher.stream(name, 0, reference.headerBytes);
    const bytes = await readExactly(stream, reference.headerBytes);
    if ((await digestOf(system, scratch, bytes)) === reference.headerSha256)
      return parseHeader(bytes, { payloadBytes: reference.sizeBytes, ...expected });
    stream.distrust();
  }
}

export async function readExactly(stream: ByteStream, count: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  for (let done = 0; done < count;) {
    const chunk = await stream.read(count - done);
    if (chunk.length === 0) throw new SlipwayError('fetch.failed', 'the stream ended early');
    bytes.set(chunk, done);
    done += chunk.length;
  }
  return bytes;
}

async function digestOf(system: System, scratch: string, bytes: Uint8Array): Promise<string> {
  const path = `${scratch}/header`;
  const file = system.open(path, { access: 'write', create: { mode: 0o600 } });
  try {
    if (file < 0 || !system.writeAt(file, 0, bytes))
      throw new SlipwayError('update.scratch', `cannot write ${path}`);
    const [digest = ''] = await digestsOfFiles(system, scratch, ['header']);
    return digest;
  } finally {
    if (file >= 0) system.close(file);
    system.remove(path);
  }
}
