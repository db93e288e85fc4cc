/** `services`: names, each with a mapping of Compose's keys, which host/provision/services/ reads. */
import type { ServiceEntry } from '../config.ts';
import { placeOf } from '../config.ts';
import { key, type Key } from './key.ts';
import { fault, mismatch } from './reader.ts';
import type { Shape } from './shape.ts';

/** As in service files: part of paths and control groups on the machine. */
const NAME = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

const services: Shape<readonly ServiceEntry[]> = {
  type: 'mapping of names to services',
  read: (node, reader) => {
    if (node.kind !== 'map') return mismatch(reader, node, 'a mapping (key: value)');
    return [...node.entries].flatMap(([name, { keyAt, value }]): ServiceEntry[] => {
      if (!NAME.test(name)) {
        const hint = 'lower-case letters, digits, - _ and .';
        return fault(reader, keyAt, 'value', `'${name}' is no name of a service`, hint) ?? [];
      }
      if (value.kind !== 'map') return mismatch(reader, value, "a mapping with 'image' and more") ?? [];
      return [{ name: { value: name, at: placeOf(keyAt) }, keyAt, node: value }];
    });
  },
};

export const SERVICE_KEYS: readonly Key[] = [
  key({ name: 'services', group: 'own', applied: 'state', right: 'services' }, services, (draft, entries) => {
    draft.services = entries;
  }),
];
