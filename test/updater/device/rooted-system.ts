/** The door of tests, with the machine's own directories in a folder: what code does below /run, /var and /usr/lib/slipway happens there. */
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { createNodeSystem, type NodeSystemOptions } from '../../../system/node.ts';
import type { System } from '../../../system/system.ts';

const OWN = ['/run/', '/var/', '/usr/lib/slipway/'];

export interface RootedSystem extends System {
  /** Where a path of the machine lies. */
  readonly place: (path: string) => string;
  /** Writes a file as if it had always been there. */
  readonly give: (path: string, text: string) => void;
}

export function rootedSystem(folder: string, options: NodeSystemOptions = {}): RootedSystem {
  const real = createNodeSystem(options);
  const place = (path: string): string => (OWN.some((own) => path.startsWith(own)) ? folder + path : path);
  const system: RootedSystem = {
    ...real,
    place,
    give: (path, text) => {
      mkdirSync(dirname(place(path)), { recursive: true });
      real.writeText(place(path), text);
    },
    readText: (path) => real.readText(place(path)),
    writeText: (path, text, mode) => real.writeText(place(path), text, mode),
    status: (path) => real.status(place(path)),
    linkStatus: (path) => real.linkStatus(place(path)),
    readLink: (path) => real.readLink(place(path)),
    list: (path) => real.list(place(path)),
    makeDirectory: (path, mode) => real.makeDirectory(place(path), mode),
    remove: (path) => real.remove(place(path)),
    rename: (from, to) => real.rename(place(from), place(to)),
    open: (path, wanted) => real.open(place(path), wanted),
    spawn: (argv, wanted) => real.spawn(argv.map(place), wanted),
  };
  return system;
}
