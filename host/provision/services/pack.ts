/** Service entries as JSON and back, places and all: they go to a program of their own (main.ts). */
import {
  listNode,
  mapNode,
  type Located,
  type MergeTag,
  type Position,
  type SourceFile,
} from '../../../spec/located.ts';
import type { ServiceEntry } from '../config.ts';

type PackedAt = readonly [source: number, line: number, column: number, length: number];
type PackedNode =
  | readonly ['s', PackedAt, string | number | boolean | null, string, boolean]
  | readonly ['l', PackedAt, readonly PackedNode[], MergeTag | null]
  | readonly ['m', PackedAt, readonly (readonly [string, PackedAt, PackedNode])[], MergeTag | null];

export interface PackedEntries {
  readonly sources: readonly SourceFile[];
  readonly entries: readonly {
    readonly name: ServiceEntry['name'];
    readonly keyAt: PackedAt;
    readonly node: PackedNode;
  }[];
}

export function packEntries(entries: readonly ServiceEntry[]): PackedEntries {
  const sources: SourceFile[] = [];
  const at = ({ source, line, column, length }: Position): PackedAt => {
    let index = sources.indexOf(source);
    if (index < 0) index = sources.push(source) - 1;
    return [index, line, column, length];
  };
  const pack = (node: Located): PackedNode => {
    switch (node.kind) {
      case 'scalar':
        return ['s', at(node.at), node.value, node.text, node.octal];
      case 'list':
        return ['l', at(node.at), node.items.map(pack), node.tag ?? null];
      case 'map':
        return [
          'm',
          at(node.at),
          [...node.entries].map(([key, { keyAt, value }]) => [key, at(keyAt), pack(value)] as const),
          node.tag ?? null,
        ];
    }
  };
  const packed = entries.map(({ name, keyAt, node }) => ({ name, keyAt: at(keyAt), node: pack(node) }));
  return { sources, entries: packed };
}

export function unpackEntries({ sources, entries }: PackedEntries): readonly ServiceEntry[] {
  const at = ([index, line, column, length]: PackedAt): Position => {
    const source = sources[index] ?? { path: '', display: '', lines: [] };
    return { source, line, column, length };
  };
  const unpack = (node: PackedNode): Located => {
    switch (node[0]) {
      case 's':
        return { kind: 'scalar', at: at(node[1]), value: node[2], text: node[3], octal: node[4], size: 1 };
      case 'l':
        return listNode(at(node[1]), node[2].map(unpack), node[3] ?? undefined);
      case 'm': {
        const members = node[2].map(
          ([key, keyAt, value]) => [key, { keyAt: at(keyAt), value: unpack(value) }] as const,
        );
        return mapNode(at(node[1]), new Map(members), node[3] ?? undefined);
      }
    }
  };
  return entries.map(({ name, keyAt, node }) => ({ name, keyAt: at(keyAt), node: unpack(node) }));
}
