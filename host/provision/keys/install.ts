/** `install`: what the installer on live media does without being asked. */
import { parseSize } from '../../../spec/units.ts';
import type { InstallSettings } from '../config.ts';
import { machinePath } from './files.ts';
import { key, type Key } from './key.ts';
import { fault, mismatch } from './reader.ts';
import { at, convert, either, fields, oneOf, text, type Shape } from './shape.ts';

const size: Shape<number> = {
  type: 'size',
  read: (node, reader) => {
    const bytes = node.kind === 'scalar' ? parseSize(node.text) : undefined;
    return bytes ?? mismatch(reader, node, 'a size such as 480GB');
  },
};

const disk = either<InstallSettings['disk']>('`smallest`, `largest`, a path, or a mapping', {
  scalar: {
    type: '',
    read: (node, reader) => {
      if (node.kind === 'scalar' && node.text.startsWith('/')) {
        const path = machinePath.read(node, reader);
        return path === undefined ? undefined : at(node, { by: 'path', path: path.value });
      }
      const by = oneOf(['smallest', 'largest']).read(node, reader);
      return by === undefined ? undefined : at(node, { by: by.value });
    },
  },
  map: convert(
    fields(
      { path: { shape: machinePath }, serial: { shape: text({ numbers: true }) }, size: { shape: size } },
      {
        noun: "'disk'",
      },
    ),
    ({ path, serial, size: sizeBytes }, reader, node) => {
      if ([path, serial, sizeBytes].filter((value) => value !== undefined).length !== 1)
        return fault(reader, node.at, 'conflict', "a disk is chosen by one of 'path', 'serial' and 'size'");
      if (path !== undefined) return at(node, { by: 'path' as const, path: path.value });
      if (serial !== undefined) return at(node, { by: 'serial' as const, serial: serial.value });
      return at(node, { by: 'size' as const, sizeBytes: sizeBytes ?? 0 });
    },
  ),
});

const install = fields(
  {
    disk: { shape: disk, required: true },
    overwrite: { shape: oneOf(['never', 'wipe']) },
    then: { shape: oneOf(['reboot', 'poweroff', 'stay']) },
  },
  { noun: 'install' },
);

export const INSTALL_KEYS: readonly Key[] = [
  key(
    { name: 'install', group: 'own', applied: 'once', right: 'disks' },
    install,
    (draft, value, _reader, node) => {
      if (value.disk === undefined) return;
      draft.install = {
        at: value.at,
        disk: value.disk,
        overwrite: value.overwrite ?? at(node, 'never'),
        then: value.then ?? at(node, 'reboot'),
      };
    },
  ),
];
