/** Downloads through apt's own methods: proxies, credentials, other transports. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { SlipwayError } from '../../spec/error.ts';
import { run } from '../process/run.ts';
import { changed, DownloadError } from './download-fault.ts';
import type { Expected } from './expected.ts';
import { hostAcquireSettings, needsApt, proxyEnvironment } from './transport.ts';

/** Whether an address is apt's to fetch. */
export async function fetchedByApt(address: string): Promise<boolean> {
  return needsApt(address, await (acquireSettings ??= hostAcquireSettings().catch(() => [])));
}

/** Read once: the machine's configuration does not change under a build. */
let acquireSettings: Promise<readonly string[]> | undefined;

/** As `download`. */
export async function downloadByApt(
  address: string,
  path: string,
  expected: Expected,
  count: (bytes: number) => void,
): Promise<void> {
  const helper = '/usr/lib/apt/apt-helper';
  try {
    await run(
      [helper, '-o', 'APT::Sandbox::User=root', 'download-file', address, path, `SHA256:${expected.sha256}`],
      {
        environment: proxyEnvironment(),
      },
    );
  } catch (error) {
    const text = error instanceof SlipwayError ? error.message : String(error);
    if (/\b404\b|File not found/.test(text)) throw new DownloadError({ kind: 'absent' }, error);
    if (/Hash Sum mismatch|unexpected size/i.test(text)) throw changed("its hash is not the lock's");
    if (/No space left/.test(text))
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC', syscall: 'write' });
    throw new DownloadError(
      { kind: 'unreachable', detail: text.split('\n').find((line) => line.startsWith('E:')) ?? text },
      error,
    );
  }
  const hash = createHash('sha256');
  for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  const digest = hash.digest('hex');
  if (digest !== expected.sha256) throw changed(`its SHA-256 is ${digest}, the lock says ${expected.sha256}`);
  count(expected.sizeBytes);
}
