/** HTTP by curl: bounded in bytes and time, resumable, its output written through the disk guard. */
import { SlipwayError } from '../../../../spec/error.ts';
import { startProgram } from '../../../../system/program.ts';
import type { System } from '../../../../system/system.ts';
import { CERTIFICATES } from '../../plan/paths.ts';
import type { DiskGuard } from './disk.ts';

export interface HttpRequest {
  readonly url: string;
  readonly headers: readonly string[];
  /** Where the body goes; what is there already is gone on with (RFC 9110, range requests). */
  readonly path: string;
  readonly maxBytes: number;
  /** Redirects to plain HTTP are only followed where the first request was plain, too. */
  readonly scheme: 'https' | 'http';
}

export interface HttpResponse {
  /** 0: nobody answered. */
  readonly status: number;
  /** Of the last response, names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Whether all of the body came. */
  readonly complete: boolean;
  /** curl's, for messages. */
  readonly code: number;
}

const CURL = '/usr/bin/curl';
const CONNECT_SECONDS = 15;
/** Slower than this for so long is as good as not at all. */
const SLOW = { bytesPerSecond: 1024, seconds: 30 };

export function demandCurl(system: System): void {
  if (system.status(CURL) !== undefined) return;
  throw new SlipwayError('services.no-curl', 'this machine cannot fetch images: its image has no curl', {
    hint: 'add `{ name: curl, files: [/usr/bin/curl] }` and `ca-certificates` to host.packages of the image definition, or name an archive below /var',
  });
}

/** One try. Throws `services.disk-full`, and `oci.digest` when more comes than `maxBytes`. */
export async function httpGet(system: System, guard: DiskGuard, request: HttpRequest): Promise<HttpResponse> {
  const { path, url, maxBytes } = request;
  const from = system.status(path)?.sizeBytes ?? 0;
  const [headerFile, sent] = [`${path}.headers`, `${path}.request`];
  // In a file: what stands in argv can be read by everybody.
  system.writeText(sent, request.headers.map((line) => `${line}\n`).join(''), 0o600);
  const protocols = request.scheme === 'http' ? '=http,https' : '=https';
  const program = startProgram(system, [
    ...[CURL, '--silent', '--show-error', '--fail', '--location', '--max-redirs', '5', '--globoff'],
    ...['--proto', protocols, '--proto-redir', protocols, '--connect-timeout', `${CONNECT_SECONDS}`],
    ...['--speed-limit', `${SLOW.bytesPerSecond}`, '--speed-time', `${SLOW.seconds}`],
    // With the authorities of the boot configuration (ca_certs), where it has any.
    ...(system.status(CERTIFICATES) === undefined ? [] : ['--cacert', CERTIFICATES]),
    ...(from > 0 ? ['--continue-at', `${from}`] : []),
    ...['--dump-header', headerFile, '--header', `@${sent}`, url],
  ]);
  const fd = system.open(path, { access: 'write', append: true, create: { mode: 0o600 } });
  let total = from;
  try {
    if (fd < 0) throw guard.failed(path);
    for (let bytes = program.read(65_536); bytes.length > 0; bytes = program.read(65_536)) {
      total += bytes.length;
      if (total > maxBytes) throw new SlipwayError('oci.digest', `${url}: more comes than there should be`);
      await guard.write(fd, bytes, path);
    }
  } catch (error) {
    await program.end();
    throw error;
  } finally {
    if (fd >= 0) system.close(fd);
    system.remove(sent);
  }
  const code = await program.exited;
  const response = lastResponse(system.readText(headerFile) ?? '');
  system.remove(headerFile);
  return { ...response, complete: code === 0, code };
}

/** curl writes the headers of every response on the way: redirects, then the one that counts. */
function lastResponse(text: string): { status: number; headers: ReadonlyMap<string, string> } {
  const block =
    text
      .trim()
      .split(/\r?\n\r?\n/)
      .at(-1) ?? '';
  const [first = '', ...lines] = block.split(/\r?\n/);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  return { status: Number(/^HTTP\/[\d.]+ (\d{3})/.exec(first)?.[1] ?? 0), headers };
}
