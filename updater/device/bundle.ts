/** A bundle on a stick in place of a repository: one file, or a directory. */
import { SlipwayError } from '../../spec/error.ts';
import type { System } from '../../system/system.ts';
import type { Context } from './context.ts';
import type { Fetcher } from './fetch/fetcher.ts';
import type { ByteStream } from './fetch/stream.ts';
import { PATHS } from './paths.ts';
import { openFetcher } from './repository.ts';
import { readTar, type TarMember } from './tar.ts';
import { isMetadataFault } from './tuf/fault.ts';

const MAX_TIMESTAMP_BYTES = 16_384;

/** Throws `update.bundle`. */
export function openBundle(context: Context, path: string): Fetcher {
  const { system } = context;
  const place = [path, inHome(path)].find(
    (candidate) => candidate?.startsWith('/') === true && system.status(candidate) !== undefined,
  );
  if (place === undefined)
    throw new SlipwayError('update.bundle', `there is no ${path} on this machine`, {
      hint: `give the absolute path of a bundle; who logs in sees little more of the machine than /home`,
    });
  if (system.status(place)?.kind === 'directory') return openFetcher(context, [place]);
  const fd = system.open(place, { access: 'read' });
  if (fd < 0) throw new SlipwayError('update.bundle', `${path} cannot be read`);
  return tarFetcher(context, fd, readTar(system, fd));
}

/**
 * What is wrong with a bundle, in its own words: one that is too old is as good as it ever was, and copying it again helps nobody; one that is damaged is
 * not too old. An expired one is refused as an expired repository is (decisions.md 21): whoever gives an old stick could keep a machine on a version with
 * known holes.
 */
export async function explainBundle(
  { system }: Context,
  fetcher: Fetcher,
  error: unknown,
): Promise<SlipwayError> {
  if (!isMetadataFault(error)) throw error;
  const { code, message } = error;
  const fault = (kind: string, text: string, hint: string): SlipwayError =>
    new SlipwayError(`update.bundle-${kind}`, text, { hint, cause: error });
  switch (code) {
    case 'metadata.expired':
      return fault(
        'expired',
        await expiredText(system, fetcher, message),
        'it is not damaged: make a new one (slipway repo refresh, slipway release bundle); if it is the clock that is wrong, set that',
      );
    case 'metadata.rollback':
      return fault(
        'old',
        `the bundle is older than what this machine has seen already (${message})`,
        'it is not damaged: make a new one (slipway release bundle)',
      );
    case 'metadata.try-later':
      return fault('incomplete', `the bundle is not complete: ${message}`, 'make it, or copy it, again');
    case 'metadata.invalid':
      return fault(
        'damaged',
        `the bundle does not hold what was signed: ${message}`,
        'copy it again; if that does not help, it is not of the repository that this machine follows',
      );
  }
}

/** The date is for people only: nobody has verified it. */
async function expiredText(system: System, fetcher: Fetcher, message: string): Promise<string> {
  const bytes = await fetcher.file('timestamp.json', MAX_TIMESTAMP_BYTES);
  const text = bytes === 'missing' ? '' : system.decode(bytes);
  const expires = Date.parse(/"expires":\s*"([0-9TZ:.-]{10,30})"/.exec(text)?.[1] ?? '');
  const now = system.wallClockMs();
  return expires < now
    ? `the bundle was signed until ${day(expires)}, and this machine's clock says ${day(now)}`
    : `the bundle has expired (${message})`;
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** Who logs in by SSH sees /home, which lies elsewhere on the machine. */
function inHome(path: string): string | undefined {
  return path.startsWith('/home/') ? `${PATHS.homes}${path.slice('/home'.length)}` : undefined;
}

function tarFetcher(
  { system, checkInterrupted }: Context,
  fd: number,
  members: ReadonlyMap<string, TarMember>,
): Fetcher {
  let received = 0;
  const read = (member: TarMember, offset: number, maxBytes: number): Uint8Array => {
    checkInterrupted();
    const bytes = readPart(system, fd, member, offset, maxBytes);
    received += bytes.length;
    return bytes;
  };
  return {
    file: (name, limitBytes) => {
      const member = members.get(name);
      if (member === undefined) return Promise.resolve('missing');
      if (member.sizeBytes > limitBytes)
        return Promise.reject(
          new SlipwayError('fetch.too-large', `${name} is larger than ${limitBytes} bytes`),
        );
      return Promise.resolve(read(member, 0, member.sizeBytes));
    },
    stream: (name, offset, endBytes) => openPart(name, members.get(name), read, offset, endBytes),
    receivedBytes: () => received,
  };
}

function openPart(
  name: string,
  member: TarMember | undefined,
  read: (member: TarMember, offset: number, maxBytes: number) => Uint8Array,
  offset: number,
  endBytes: number,
): ByteStream {
  let next = offset;
  return {
    read: (maxBytes) => {
      if (next >= endBytes) return Promise.resolve(new Uint8Array(0));
      if (member === undefined || member.sizeBytes < endBytes)
        return Promise.reject(new SlipwayError('fetch.missing', `the bundle does not hold ${name}`));
      const bytes = read(member, next, Math.min(maxBytes, endBytes - next));
      next += bytes.length;
      return Promise.resolve(bytes);
    },
    distrust: () => {
      throw new SlipwayError('fetch.untrustworthy', 'what the bundle holds is not what the release says', {
        hint: 'copy it again',
      });
    },
    close: () => Promise.resolve(),
  };
}

function readPart(
  system: System,
  fd: number,
  member: TarMember,
  offset: number,
  maxBytes: number,
): Uint8Array {
  const length = Math.min(maxBytes, member.sizeBytes - offset);
  const bytes = system.readAt(fd, member.offset + offset, length);
  if (bytes === 'failed' || bytes.length < length)
    throw new SlipwayError('fetch.broken', 'the bundle cannot be read: is the stick still there?');
  return bytes;
}
