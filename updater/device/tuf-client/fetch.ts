/** Files of a repository, by curl; each is asked for once, since the conformance suite counts. */
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import type { MetadataFetch } from '../tuf/refresh.ts';
import { openStored } from '../tuf/stored.ts';

/** Fetches a URL into a file: false when there is no such thing; throws when it is larger than `limitBytes`, or nobody answers. */
export type Transfer = (url: string, path: string, limitBytes: number) => Promise<boolean>;

const TIME_LIMIT_S = '60';

export function metadataFetch(
  system: System,
  transfer: Transfer,
  baseUrl: string,
  scratch: string,
): MetadataFetch {
  return async (name, limitBytes) => {
    const temporary = `.fetched-${system.pid}`;
    const path = `${scratch}/${temporary}`;
    try {
      if (!(await transfer(joinUrl(baseUrl, name), path, limitBytes))) return 'missing';
      return openStored(system, scratch).read(temporary, limitBytes) ?? new Uint8Array(0);
    } finally {
      system.remove(path);
    }
  };
}

export function curlTransfer(system: System): Transfer {
  return async (url, path, limitBytes) => {
    const argv = ['curl', '--silent', '--location', '--max-time', TIME_LIMIT_S, '--output', path];
    const limited = [
      '--max-filesize',
      String(limitBytes),
      '--write-out',
      '%{http_code}',
      '--globoff',
      '--',
      url,
    ];
    const { code, stdout } = await runProgram(system, [...argv, ...limited]);
    const status = Number(system.decode(stdout));
    if (status === 403 || status === 404) return false;
    if (code === 0 && status === 200 && (system.status(path)?.sizeBytes ?? 0) <= limitBytes) return true;
    throw new Error(`cannot fetch ${url}: status ${status}, curl ended with ${code}`);
  };
}

export function joinUrl(baseUrl: string, name: string): string {
  return `${baseUrl.replace(/\/*$/, '')}/${name}`;
}
