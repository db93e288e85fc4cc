/** A bundle on a stick in place of a repository: one file, or a directory. */
import { SlipwayError } from '../../spec/error.ts';
import type { System } from '../../system/system.ts';
import type { Context } from './context.ts';
import type { Fetcher } from './fetch/fetcher.ts';
import type { ByteStream } from './fetch/stream.ts';
import { PATHS } from './paths.ts';
import { openFetcher } from './repository.ts';
import { readTar, type TarMember } from './tar.ts';

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
