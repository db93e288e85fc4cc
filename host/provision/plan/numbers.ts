/** User and group numbers: one space for both, since each user has a group of its own with the same number. */
import { own } from '../../../spec/own.ts';
import type { MachineFacts, RememberedIds } from './facts.ts';

/** Numbers below are those of the image. */
export const FIRST_ID = 2000;
export const LAST_ID = 59_999;

export interface Numbers {
  /** Its number: that which it had before, else the one asked for, else the first that nobody ever had. */
  user(name: string, asked: number | undefined): number | { readonly problem: string };
  gid(name: string): number;
  hasGroup(name: string): boolean;
  /** Is not handed out. */
  reserve(id: number): void;
  readonly uids: Readonly<Record<string, number>>;
  readonly gids: Readonly<Record<string, number>>;
  readonly remembered: RememberedIds;
}

export function createNumbers({ accounts, image, remembered }: MachineFacts): Numbers {
  const uids: Record<string, number> = { ...accounts.users };
  const gids: Record<string, number> = { ...accounts.groups };
  const users: Record<string, number> = { ...remembered.users };
  const groups: Record<string, number> = { ...remembered.groups };
  for (const { name, uid } of image.users) [uids[name], gids[name]] = [uid, uid];
  /** By number: who has or had it. */
  const holders = new Map<number, string>();
  for (const table of [groups, users, gids, uids])
    for (const [name, id] of Object.entries(table)) holders.set(id, name);
  const reserved = new Set<number>();

  function next(): number {
    let id = FIRST_ID;
    while (holders.has(id) || reserved.has(id)) id += 1;
    return id;
  }

  function take(name: string, id: number): void {
    holders.set(id, name);
  }

  return {
    uids,
    gids,
    get remembered() {
      return { users, groups };
    },
    reserve: (id) => void reserved.add(id),
    hasGroup: (name) => Object.hasOwn(gids, name),
    user: (name, asked) => {
      // A number of the image's (a later version's, say) is nobody else's, whoever had it before.
      const before = ownId(users, name, holders);
      if (before === undefined && asked !== undefined) {
        const holder = holders.get(asked);
        if (holder !== undefined && holder !== name)
          return {
            problem: `the number ${asked} belongs to ${holder}: files of both would be one another's`,
          };
      }
      const id = before ?? asked ?? next();
      take(name, id);
      [uids[name], gids[name], users[name]] = [id, id, id];
      return id;
    },
    gid: (name) => {
      const known = own(gids, name);
      if (known !== undefined) return known;
      const id = ownId(groups, name, holders) ?? next();
      take(name, id);
      [gids[name], groups[name]] = [id, id];
      return id;
    },
  };
}

function ownId(
  table: Readonly<Record<string, number>>,
  name: string,
  holders: ReadonlyMap<number, string>,
): number | undefined {
  const id = own(table, name);
  return id !== undefined && holders.get(id) === name ? id : undefined;
}
