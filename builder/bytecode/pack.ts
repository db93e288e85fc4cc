/**
 * Which modules share a shared object. Bundles are made of dozens of chunks, and each object costs the start of a program a search, two mappings, and
 * pages of its own: a tenth of starting `provision.js` where the files are read already, a third where they are not. What a program begins with in any case
 * needs no file of its own.
 */
import { basename } from 'node:path';
import type { Module, Pack } from './compile.ts';

/**
 * All of them, each once. What one program alone loads as it starts lies in that one's object, and what several load lies in one of theirs, which each of
 * them now imports first. The rest, which somebody may load later or not at all, stays by itself.
 *
 * That everything in a pack is imported as its programs start is more than thrift: QuickJS drops modules that nobody has imported when some import()
 * fails (quickjs.c, JS_FREE_MODULE_NOT_RESOLVED), and there would be no file to find them in.
 */
export function packModules(programs: readonly Module[], chunks: readonly Module[]): readonly Pack[] {
  const named = new Map([...programs, ...chunks].map((module) => [basename(module.path), module]));
  const atStart = programs.map((program) => reached(program, named, STATIC));
  const ever = programs.map((program) => reached(program, named, ANY));
  const packs = new Map<string, { readonly users: readonly number[]; readonly chunks: Module[] }>();
  const alone: Module[] = [];
  for (const chunk of chunks) {
    const users = usersOf(chunk, atStart);
    const key = users.join();
    if (users.length === 0 || key !== usersOf(chunk, ever).join()) alone.push(chunk);
    else packs.set(key, { users, chunks: [...(packs.get(key)?.chunks ?? []), chunk] });
  }
  // What many programs load imports nothing that only few of them do: so it is there before anybody asks for it.
  const shared = [...packs.values()]
    .filter(({ users }) => users.length > 1)
    .sort((a, b) => b.users.length - a.users.length)
    .map(({ users, chunks: [leader, ...others] }) => ({
      users,
      pack: [...others, leader!],
      leader: leader!,
    }));
  return [
    ...programs.map((program, place) => {
      const leaders = shared.filter(({ users }) => users.includes(place)).map(({ leader }) => leader);
      const imports = leaders.map(({ path }) => `import"./${basename(path)}";`).join('');
      const own = packs.get(`${place}`)?.chunks ?? [];
      return [...own, { ...program, source: imports + program.source }];
    }),
    ...shared.map(({ pack }) => pack),
    ...alone.map((chunk) => [chunk]),
  ];
}

const STATIC = /\b(?:from|import)\s*"\.\/([^"]+)"/g;
/** `__load`: import() by way of a module (bytecode.ts). */
const ANY = /\b(?:from\s*|import\s*\(?|__load\()"\.\/([^"]+)"/g;

/** By a program, itself among them. */
function reached(program: Module, named: ReadonlyMap<string, Module>, imports: RegExp): ReadonlySet<Module> {
  const found = new Set([program]);
  for (const { source } of found)
    for (const [, name = ''] of source.matchAll(imports)) {
      const module = named.get(name);
      if (module !== undefined) found.add(module);
    }
  return found;
}

function usersOf(chunk: Module, sets: readonly ReadonlySet<Module>[]): readonly number[] {
  return sets.flatMap((set, place) => (set.has(chunk) ? [place] : []));
}
