/** One top-level key: what the table (table.ts) is made of. */
import type { Located } from '../../../spec/located.ts';
import type { Right } from '../../../spec/provisioning.ts';
import type { At, Bytes, MachineConfig } from '../config.ts';
import type { Packed } from './content.ts';
import type { Reader } from './reader.ts';
import type { Members, Shape } from './shape.ts';

export type Applied =
  /** Whenever the configuration changes; made anew at every boot where it does not last. */
  | 'state'
  /** At every boot. */
  | 'every boot'
  /** Once an instance. */
  | 'once'
  /** Once an instance, behind everything else. */
  | 'last'
  /** Read, and without effect. */
  | 'never';

export interface Key {
  readonly name: string;
  /** Other spellings that are heard. */
  readonly aliases?: readonly string[];
  /** As in the reference: A must, B should; `own` ones are Slipway's; `known` ones are heard of, and without effect. */
  readonly group: 'A' | 'B' | 'own' | 'known';
  readonly applied: Applied;
  /** What the source must be allowed; `null`: nothing. */
  readonly right: Right | null;
  /** No message repeats what stands there. */
  readonly unquoted?: true;
  /** Nothing behind it is an empty mapping. */
  readonly bare?: true;
  readonly type: string;
  readonly members?: Members;
  /** Reads the value into the draft, or reports why not. */
  readonly read: (node: Located, reader: Reader, draft: Draft) => void;
}

/** A configuration that is being read. */
export type Draft = { -readonly [K in keyof MachineConfig]: MachineConfig[K] } & {
  /** `mount_default_fields`, which `mounts` needs. */
  mountDefaults?: readonly (string | null)[];
  /** Without it `resolv_conf` is not heard. */
  managesResolvConf?: At<boolean>;
  /** Content that is still packed, by the value that stands in its place. */
  readonly packed: Map<At<Bytes>, Packed>;
  /** `vendor_data: {enabled: false}`. */
  vendorData?: At<boolean>;
};

/** A key of a shape; `into` is only called with what was read without a fault. */
export function key<T>(
  head: Omit<Key, 'read' | 'type' | 'members'>,
  shape: Shape<T>,
  into: (draft: Draft, value: T, reader: Reader, node: Located) => void,
): Key {
  return {
    ...head,
    type: shape.type,
    ...(shape.members === undefined ? {} : { members: shape.members }),
    read: (node, reader, draft) => {
      const value = shape.read(node, reader);
      if (value !== undefined) into(draft, value, reader, node);
    },
  };
}

/** A key that is known and has no effect. */
export function without<T>(name: string, group: 'B' | 'known', reason: string, shape?: Shape<T>): Key {
  return {
    name,
    group,
    applied: 'never',
    right: null,
    type: shape?.type ?? 'anything',
    ...(shape?.members === undefined ? {} : { members: shape.members }),
    read: (node, reader) => {
      const before = reader.diagnostics.length;
      shape?.read(node, reader);
      if (reader.diagnostics.length === before)
        reader.keys.push({
          key: name,
          state: 'ignored',
          file: node.at.source.display,
          line: node.at.line,
          reason,
        });
    },
  };
}
