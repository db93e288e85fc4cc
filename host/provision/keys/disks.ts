/** Disks, file systems, mounts and swap. */
import type { LocatedList, LocatedMap } from '../../../spec/located.ts';
import { placeOf, type At, type DiskEntry, type FileSystemEntry, type MountEntry } from '../config.ts';
import { machinePath } from './files.ts';
import { key, type Draft, type Key } from './key.ts';
import { fault, mismatch, remark, warn, type Reader } from './reader.ts';
import {
  at,
  convert,
  either,
  fields,
  flag,
  given,
  ignored,
  integer,
  isNothing,
  list,
  listOrOne,
  named,
  oneOf,
  refused,
  text,
  type Shape,
} from './shape.ts';

/** As mkfs and sfdisk name them. */
const WORD = /^[A-Za-z0-9][\w.+-]*$/;
const word = text({ check: (name) => (WORD.test(name) ? undefined : `'${name}' is no word`) });
const device = text({
  type: 'device',
  check: (name) =>
    /^[\w./:=+@,-]+$/.test(name) && !name.includes('..') ? undefined : `'${name}' is no device`,
  hint: "write a path such as '/dev/vdb', an alias, or 'LABEL=data'",
});

/** `[50, [50, 82]]`: sizes in percent of the disk, with a partition type. */
const layout: Shape<DiskEntry['layout']> = {
  type: '`true`, `false`, `remove`, or list of percentages or `[percentage, type]`',
  read: (node, reader) => {
    if (node.kind === 'scalar') {
      const word = oneOf([true, false, 'remove']).read(node, reader);
      const value = word?.value === true ? 'whole' : word?.value === false ? 'none' : 'remove';
      return word === undefined ? undefined : { ...word, value };
    }
    if (node.kind === 'map') return mismatch(reader, node, 'true, false, remove, or a list');
    const parts = node.items.map((item) => {
      const [size, type] = item.kind === 'list' ? item.items : [item];
      const pair = item.kind === 'list' && item.items.length !== 2;
      if (size === undefined || pair) return mismatch(reader, item, 'a percentage, or [percentage, type]');
      const percent = integer(1, 100).read(size, reader);
      const kind =
        type === undefined ? undefined : text({ numbers: true }).read(type, { ...reader, secret: true });
      return percent === undefined ? undefined : { percent: percent.value, type: kind?.value ?? null };
    });
    const sound = parts.filter((part) => part !== undefined);
    if (sound.length !== parts.length) return undefined;
    const total = sound.reduce((sum, { percent }) => sum + percent, 0);
    if (total > 100)
      return fault(reader, node.at, 'value', `these partitions take ${total} percent of the disk`);
    return at(node, sound);
  },
};

const disk = fields(
  { table_type: { shape: oneOf(['mbr', 'gpt']) }, layout: { shape: layout }, overwrite: { shape: flag } },
  { noun: 'an entry of disk_setup' },
);

const fileSystem = fields(
  {
    device: { shape: device, required: true },
    filesystem: { shape: word, required: true },
    label: { shape: text({ numbers: true }) },
    partition: {
      shape: either<At<number | 'auto' | 'any' | 'none'>>('`auto`, `any`, `none` or a number', {
        scalar: {
          type: '',
          read: (node, reader) =>
            node.kind === 'scalar' && /^\d/.test(node.text)
              ? integer(1, 128, true).read(node, reader)
              : oneOf(['auto', 'any', 'none']).read(node, reader),
        },
      }),
    },
    overwrite: { shape: flag },
    replace_fs: { shape: word },
    extra_opts: { shape: listOrOne(text({ numbers: true })) },
    cmd: {
      shape: refused(
        "'cmd' could run anything on the host",
        "name the type with 'filesystem', options with 'extra_opts'",
      ),
    },
  },
  { noun: 'an entry of fs_setup' },
);

const DEFAULT_FIELDS = [null, null, 'auto', 'defaults,nofail', '0', '2'] as const;

/** One fstab(5) line in a list; what is missing comes from `mount_default_fields`. */
function mountOf(
  line: LocatedList,
  reader: Reader,
  defaults: readonly (string | null)[],
): MountEntry | undefined {
  if (line.items.length > 6)
    return fault(reader, line.at, 'value', 'a mount has six fields at most, as in fstab(5)');
  const field = (index: number): At<string> | undefined => {
    const item = line.items[index];
    if (item !== undefined && !isNothing(item))
      return text({ numbers: true }).read(item, index < 4 ? reader : { ...reader, diagnostics: [] });
    const value = defaults[index] ?? DEFAULT_FIELDS[index];
    return value === null || value === undefined ? undefined : at(line, value);
  };
  const [source, target] = [field(0), field(1)];
  const second = line.items[1];
  if (source === undefined) return fault(reader, line.at, 'missing', 'the mount has no device');
  if (target === undefined) {
    // cloud-init: removes an earlier line of the device; there are none here.
    const reason = `${source.value} is not mounted: no mount point is given`;
    remark({ ...reader, path: ['mounts'] }, second?.at ?? line.at, 'ignored', reason);
    return undefined;
  }
  const isSwap = field(2)?.value === 'swap';
  const point =
    isSwap || target.value === 'none' || second === undefined ? target : machinePath.read(second, reader);
  const [dump, pass] = [number(line, 4, field(4), reader), number(line, 5, field(5), reader)];
  const [type, options] = [field(2), field(3)];
  if (point === undefined || dump === undefined || pass === undefined || type === undefined) return undefined;
  const words = (options?.value ?? 'defaults').split(',').filter((option) => option !== '');
  const place = options?.at ?? placeOf(line.at);
  return {
    at: placeOf(line.at),
    device: source,
    target: isSwap ? { ...point, value: 'none' } : point,
    type,
    // Those are systemd's own orders, and this machine has none.
    options: words
      .filter((option) => !option.startsWith('x-systemd.'))
      .map((value) => ({ value, at: place })),
    dump,
    pass,
  };
}

function number(
  line: LocatedList,
  index: number,
  field: At<string> | undefined,
  reader: Reader,
): At<number> | undefined {
  if (field !== undefined && /^[0-9]$/.test(field.value)) return { ...field, value: Number(field.value) };
  const place = line.items[index]?.at ?? line.at;
  return fault(reader, place, 'value', `field ${index + 1} of a mount is a digit, as in fstab(5)`);
}

/** `512M`, `1.5G`, `auto`; a bare number counts bytes. */
const SIZE_UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};
const size: Shape<At<number>> = {
  type: 'size (`512M`)',
  read: (node, reader) => {
    const written = node.kind === 'scalar' ? node.text : '';
    // A text has its unit, a number has none.
    const pattern =
      node.kind === 'scalar' && typeof node.value === 'number'
        ? /^(\d{1,15})()$/
        : /^(\d{1,15}(?:\.\d{1,3})?|\.\d{1,3})([BKMGT])$/;
    const [, digits, unit = ''] = pattern.exec(written) ?? [];
    const bytes = Math.round(Number(digits) * (SIZE_UNITS[unit] ?? NaN));
    if (Number.isSafeInteger(bytes) && bytes > 0) return at(node, bytes);
    return mismatch(reader, node, 'a size such as 512M or 2G', 'units are B, K, M, G and T, powers of 1024');
  },
};

const swap = fields(
  {
    filename: { shape: machinePath },
    size: {
      shape: {
        type: `\`auto\` or ${size.type}`,
        read: (node, reader): At<number | 'auto'> | undefined =>
          node.kind === 'scalar' && node.text === 'auto' ? at(node, 'auto') : size.read(node, reader),
      },
    },
    maxsize: { shape: size },
  },
  { noun: 'swap' },
);

const growpart = fields(
  {
    mode: { shape: oneOf(['auto', 'growpart', 'gpart', 'off', false]) },
    devices: { shape: list(text()) },
    ignore_growroot_disabled: { shape: ignored('this machine has no /etc/growroot-disabled') },
  },
  { noun: 'growpart' },
);

export const DISK_KEYS: readonly Key[] = [
  key(
    { name: 'device_aliases', group: 'B', applied: 'state', right: 'disks' },
    named(device, 'names'),
    (draft, aliases) => {
      draft.deviceAliases = aliases.map(({ name, value }) => ({ name, device: value }));
    },
  ),
  key(
    { name: 'disk_setup', group: 'A', applied: 'state', right: 'disks' },
    named(disk, 'devices'),
    (draft, disks, reader, node) => {
      draft.disks = disks.map(({ name, value }): DiskEntry => {
        const place = (node as LocatedMap).entries.get(name.value)?.value ?? node;
        if (value.table_type === undefined && value.layout !== undefined)
          warn(
            reader,
            place.at,
            'default',
            `${name.value} gets an MBR`,
            "say 'table_type: mbr' or 'table_type: gpt'",
          );
        return {
          at: value.at,
          device: name,
          table: value.table_type ?? at(place, 'mbr'),
          layout: value.layout ?? at(place, 'none'),
          overwrite: value.overwrite ?? at(place, false),
        };
      });
    },
  ),
  key(
    { name: 'fs_setup', group: 'A', applied: 'state', right: 'disks' },
    list(convert(fileSystem, (entry, _reader, node) => ({ entry, node }))),
    (draft, entries) => {
      draft.fileSystems = entries.flatMap(({ entry, node }): FileSystemEntry[] => {
        if (entry.device === undefined || entry.filesystem === undefined) return [];
        return [
          {
            at: entry.at,
            device: entry.device,
            type: entry.filesystem,
            overwrite: entry.overwrite ?? at(node, false),
            options: entry.extra_opts ?? [],
            ...given({ partition: entry.partition, label: entry.label, replaceType: entry.replace_fs }),
          },
        ];
      });
    },
  ),
  key(
    { name: 'mount_default_fields', group: 'B', applied: 'state', right: 'disks' },
    mountDefaults(),
    (draft, values) => {
      draft.mountDefaults = values;
    },
  ),
  key(
    { name: 'mounts', group: 'A', applied: 'state', right: 'disks' },
    list(lineOfFields()),
    (draft, lines, reader) => {
      draft.mounts = mountsOf(draft, lines, reader);
    },
  ),
  key(
    { name: 'swap', group: 'B', applied: 'state', right: 'disks' },
    swap,
    (draft, settings, _reader, node) => {
      draft.swap = {
        at: settings.at,
        path: settings.filename ?? at(node, '/var/swap'),
        sizeBytes: settings.size ?? at(node, 'auto'),
        ...given({ maxSizeBytes: settings.maxsize }),
      };
    },
  ),
  key(
    { name: 'growpart', group: 'B', applied: 'state', right: 'disks' },
    growpart,
    (draft, value, _reader, node) => {
      const mode = value.mode ?? at(node, 'auto' as const);
      draft.growpart = {
        at: value.at,
        enabled: { ...mode, value: mode.value !== 'off' && mode.value !== false },
        devices: value.devices ?? [],
      };
    },
  ),
  key(
    { name: 'resize_rootfs', group: 'B', applied: 'state', right: 'disks' },
    oneOf([true, false, 'noblock']),
    (draft, how) => {
      draft.resizeRootfs = how;
    },
  ),
];

/** A later line for a mount point takes the place of an earlier one. */
function mountsOf(draft: Draft, lines: readonly LocatedList[], reader: Reader): readonly MountEntry[] {
  const mounts = lines.flatMap((line) => mountOf(line, reader, draft.mountDefaults ?? DEFAULT_FIELDS) ?? []);
  const byTarget = new Map<string, MountEntry>();
  for (const mount of mounts) {
    byTarget.set(mount.target.value === 'none' ? `none ${mount.device.value}` : mount.target.value, mount);
  }
  return [...byTarget.values()];
}

function lineOfFields(): Shape<LocatedList> {
  return {
    type: '`[device, mount point, type, options, dump, pass]`',
    read: (node, reader) => {
      if (node.kind === 'list' && node.items.length > 0) return node;
      return mismatch(reader, node, 'a list of one to six fields, as in fstab(5)');
    },
  };
}

function mountDefaults(): Shape<readonly (string | null)[]> {
  return {
    type: 'list of six fields',
    read: (node, reader) => {
      if (node.kind !== 'list' || node.items.length !== 6)
        return mismatch(reader, node, 'a list of six fields');
      return node.items.map((item) =>
        item.kind === 'scalar' && item.value !== null && item.text !== 'None' ? item.text : null,
      );
    },
  };
}
