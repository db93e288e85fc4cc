/** A directory as a mirror: a USB stick, a bundle, a share. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import type { Connect } from './connection.ts';

export function folderConnect(system: System, onBytes: (count: number) => void): Connect {
  return (base, name, range) => {
    const path = `${base}/${name}`;
    if (system.status(path)?.kind !== 'file')
      return Promise.reject(new SlipwayError('fetch.missing', `${path} is not there`));
    const file = system.open(path, { access: 'read' });
    if (file < 0) return Promise.reject(new SlipwayError('fetch.broken', `${path} cannot be read`));
    let offset = range.offset;
    let open = true;
    return Promise.resolve({
      read: (maxBytes) => {
        const left = (range.endBytes ?? Number.MAX_SAFE_INTEGER) - offset;
        const bytes = open ? system.readAt(file, offset, Math.min(maxBytes, left)) : 'failed';
        if (bytes === 'failed')
          return Promise.reject(new SlipwayError('fetch.broken', `${path} cannot be read`));
        offset += bytes.length;
        onBytes(bytes.length);
        return Promise.resolve(bytes);
      },
      close: () => {
        if (open) system.close(file);
        open = false;
        return Promise.resolve();
      },
    });
  };
}
