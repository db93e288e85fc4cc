import { describe, expect, test } from 'vitest';
import { flattenLayers } from '../../../builder/oci/flatten.ts';
import type { LayerEntry } from '../../../builder/oci/layer.ts';

type Layer = readonly (readonly [path: string, what: string])[];

/** Layers -> what a container sees. `dir`, `file:<text>`, `-> <symlink target>`, `= <hard link target>`. */
const CASES: readonly (readonly [string, readonly Layer[], Record<string, string>])[] = [
  ['a later layer replaces a file', [[['a', 'file:1']], [['a', 'file:2']]], { '/a': 'file:2' }],
  [
    'the last of two entries with one name counts',
    [
      [
        ['a', 'file:1'],
        ['a', 'file:2'],
      ],
    ],
    { '/a': 'file:2' },
  ],
  [
    'a whiteout removes a file',
    [
      [
        ['a', 'file:1'],
        ['b', 'file:2'],
      ],
      [['.wh.a', 'file:']],
    ],
    { '/b': 'file:2' },
  ],
  ['a whiteout removes a whole directory', [[['d/e/f', 'file:1']], [['d/.wh.e', 'file:']]], { '/d': 'dir' }],
  [
    'a whiteout does not touch its own layer, in either order',
    [
      [['a', 'file:1']],
      [
        ['.wh.a', 'file:'],
        ['a', 'file:2'],
        ['b', 'file:3'],
        ['.wh.b', 'file:'],
      ],
    ],
    { '/a': 'file:2', '/b': 'file:3' },
  ],
  [
    'an opaque directory hides what lower layers have in it',
    [
      [
        ['d/x', 'file:1'],
        ['d/y/z', 'file:2'],
      ],
      [
        ['d/n', 'file:3'],
        ['d/.wh..wh..opq', 'file:'],
      ],
    ],
    { '/d': 'dir', '/d/n': 'file:3' },
  ],
  [
    'whiteout of what is not there',
    [
      [
        ['.wh.a', 'file:'],
        ['d/.wh.b', 'file:'],
      ],
    ],
    {},
  ],
  [
    'other marks of aufs are nothing',
    [
      [
        ['.wh..wh.plnk', 'dir'],
        ['.wh..wh.aufs', 'file:'],
      ],
    ],
    {},
  ],
  [
    'a directory over a directory keeps its files',
    [[['d/a', 'file:1']], [['d', 'dir']]],
    { '/d': 'dir', '/d/a': 'file:1' },
  ],
  ['a file over a directory removes it', [[['d/a', 'file:1']], [['d', 'file:2']]], { '/d': 'file:2' }],
  [
    'a directory over a link replaces the link',
    [
      [['l', '-> /x']],
      [
        ['l', 'dir'],
        ['l/a', 'file:1'],
      ],
    ],
    { '/l': 'dir', '/l/a': 'file:1' },
  ],
  [
    'a file below a link goes where the link leads',
    [
      [
        ['usr/bin', 'dir'],
        ['bin', '-> usr/bin'],
      ],
      [['bin/a', 'file:1']],
    ],
    { '/bin': '-> usr/bin', '/usr': 'dir', '/usr/bin': 'dir', '/usr/bin/a': 'file:1' },
  ],
  [
    'an absolute link is one of the image, and .. stops at its root',
    [
      [
        ['etc', 'dir'],
        ['l', '-> /../../etc'],
        ['l/a', 'file:1'],
      ],
    ],
    { '/etc': 'dir', '/etc/a': 'file:1', '/l': '-> /../../etc' },
  ],
  [
    'a hard link to a file of a lower layer',
    [[['a', 'file:1']], [['b', '= a']]],
    { '/a': 'file:1', '/b': 'file:1' },
  ],
];

describe('layers one over the other', () => {
  test.each(CASES)('%s', (_name, layers, expected) => {
    expect(flattened(layers)).toEqual(expected);
  });

  test('a hard link keeps its contents when its target is removed later', () => {
    expect(
      flattened([
        [
          ['a', 'file:1'],
          ['b', '= a'],
        ],
        [['.wh.a', 'file:']],
      ]),
    ).toEqual({ '/b': 'file:1' });
  });

  test.each([
    ['a hard link to nothing', [[['b', '= a']]]],
    [
      'a hard link to a directory',
      [
        [
          ['a', 'dir'],
          ['b', '= a'],
        ],
      ],
    ],
    [
      'a file below a file',
      [
        [
          ['a', 'file:1'],
          ['a/b', 'file:2'],
        ],
      ],
    ],
    [
      'links in a circle',
      [
        [
          ['a', '-> b'],
          ['b', '-> a'],
          ['a/c', 'file:1'],
        ],
      ],
    ],
  ] as const)('refused: %s', (_name, layers) => {
    expect(() => flattened(layers)).toThrow(expect.objectContaining({ code: 'oci.hostile-layer' }) as Error);
  });
});

function flattened(layers: readonly Layer[]): Record<string, string> {
  const contents = layers.map((layer) => ({ dataPath: '', entries: layer.map(layerEntry) }));
  return Object.fromEntries(
    flattenLayers(contents, 'service:x').map((entry) => [
      entry.path,
      entry.type === 'file'
        ? `file:${entry.source.kind === 'path' ? entry.source.sha256 : ''}`
        : entry.type === 'symlink'
          ? `-> ${entry.target}`
          : 'dir',
    ]),
  );
}

function layerEntry([path, what]: readonly [string, string]): LayerEntry {
  const common = { path, mode: 0o755, uid: 0, gid: 0 };
  if (what === 'dir') return { ...common, type: 'directory' };
  if (what.startsWith('-> ')) return { ...common, type: 'symlink', target: what.slice(3) };
  if (what.startsWith('= ')) return { ...common, type: 'hardlink', target: what.slice(2) };
  return { ...common, type: 'file', offset: 0, sizeBytes: 1, sha256: what.slice('file:'.length) };
}
