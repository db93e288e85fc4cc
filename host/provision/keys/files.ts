/** `write_files`. */
import { normalisePath } from '../../../spec/machine-path.ts';
import type { FileEntry } from '../config.ts';
import { content, decodeContent, ENCODINGS } from './content.ts';
import { fileMode } from './file-mode.ts';
import { key, type Key } from './key.ts';
import { fault } from './reader.ts';
import { at, convert, fields, flag, given, list, named, oneOf, text } from './shape.ts';

export const machinePath = convert(text({ type: 'absolute path' }), (path, reader, node) => {
  const value = normalisePath(path.value);
  if (value !== undefined) return { ...path, value };
  const message = `'${path.value.slice(0, 80)}' is no absolute path`;
  return fault(reader, node.at, 'value', message, "write it from the root on: '/etc/example', without '..'");
});

export const webAddress = (secret?: true): ReturnType<typeof text> =>
  text({
    type: 'http(s) address',
    ...(secret === undefined ? {} : { secret }),
    check: (url) =>
      /^https?:\/\/[^\s/]\S*$/.test(url)
        ? undefined
        : 'expected an address that begins with http:// or https://',
  });

const owner = convert(
  text({
    type: '`user:group`',
    check: (name) => (/^[\w.-]+(:[\w.-]*)?$/.test(name) ? undefined : `'${name}' is no owner`),
    hint: "write 'user:group', or 'user'",
  }),
  (written) => {
    const [user = '', group = ''] = written.value.split(':');
    return { ...written, value: { user, group: group === '' ? null : group } };
  },
);

const source = fields(
  {
    uri: { shape: webAddress(true), required: true },
    headers: { shape: named(text({ secret: true }), 'names') },
  },
  { noun: "'source'" },
);

const entry = fields(
  {
    path: { shape: machinePath, required: true },
    content: { shape: content, secret: true },
    encoding: { shape: oneOf(Object.keys(ENCODINGS).filter((name) => name !== 'raw')) },
    permissions: { shape: fileMode },
    owner: { shape: owner },
    append: { shape: flag },
    defer: { shape: flag },
    source: { shape: source },
  },
  { noun: 'an entry of write_files' },
);

export const FILE_KEYS: readonly Key[] = [
  key(
    { name: 'write_files', group: 'A', applied: 'state', right: 'files' },
    list(convert(entry, (file, _reader, node) => ({ file, node }))),
    (draft, items, reader) => {
      draft.files = items.flatMap(({ file, node }): FileEntry[] => {
        const hidden = { ...reader, secret: true };
        const bytes =
          file.content === undefined
            ? { value: { text: '' }, at: file.at, secret: true as const }
            : decodeContent(file.content, file.encoding?.value ?? 'text/plain', hidden, draft.packed);
        if (bytes === undefined || file.path === undefined) return [];
        return [
          {
            at: file.at,
            path: file.path,
            content: bytes,
            append: file.append ?? at(node, false),
            defer: file.defer ?? at(node, false),
            ...given({
              owner: file.owner,
              mode: file.permissions,
              source:
                file.source?.uri === undefined
                  ? undefined
                  : {
                      url: file.source.uri,
                      headers: (file.source.headers ?? []).map(({ name, value }) => ({
                        name: name.value,
                        value,
                      })),
                    },
            }),
          },
        ];
      });
    },
  ),
];
