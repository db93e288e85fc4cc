/**
 * One layer over a root file system in a directory (image-spec layer.md, "Applying Changesets"). Nothing is read into memory but one header at
 * a time, and no path of the layer is ever used before it was looked up within the root, links and all.
 */
import { basename, dirname } from '../../../../spec/posix-path.ts';
import { runProgram } from '../../../../system/program.ts';
import type { System } from '../../../../system/system.ts';
import { attributeSetter, type AttributeSetter } from './attributes.ts';
import type { DiskGuard } from './disk.ts';
import { placeIn } from './root-directory.ts';
import { hostile, tarMembers, type FileRange, type TarMember } from './tar.ts';

export interface LayerLimits {
  /** Of all layers of the image together. */
  entries: number;
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const PATH_BYTES = 4095;
const NAME_BYTES = 255;
const CHUNK = 65_536;
const LINK_BATCH = 500;
const MAX_PENDING = 1000;

interface Layer {
  readonly system: System;
  readonly root: string;
  readonly fd: number;
  readonly attributes: AttributeSetter;
  readonly guard: DiskGuard;
  /** Directories looked up already: path in the layer -> path in the root. */
  readonly directories: Map<string, string>;
  /** Hard links to make: what there is, what there will be; absolute on the machine. */
  links: [string, string][];
  /** Paths of this layer that still wait for an attribute or a link. */
  readonly pending: Set<string>;
}

/** `limits.entries` is counted down. Throws `oci.hostile-layer`, `services.disk-full`. */
export async function applyLayer(
  system: System,
  tar: FileRange,
  root: string,
  options: { readonly guard: DiskGuard; readonly limits: LayerLimits; readonly umask: number },
): Promise<void> {
  const fd = system.open(tar.path, { access: 'read' });
  if (fd < 0) throw hostile(tar.path, 'it cannot be read');
  const layer: Layer = {
    system,
    root,
    fd,
    attributes: attributeSetter(system, options.umask),
    guard: options.guard,
    directories: new Map(),
    links: [],
    pending: new Set(),
  };
  try {
    // Whiteouts hide what lower layers hold, wherever in this layer they stand.
    for (const member of tarMembers(system, fd, tar)) {
      if (--options.limits.entries < 0) throw hostile(member.name, 'there are too many entries');
      if (basename(member.name).startsWith(WHITEOUT)) applyWhiteout(layer, safePath(layer, member.name));
    }
    for (const member of tarMembers(system, fd, tar)) {
      if (!basename(member.name).startsWith(WHITEOUT)) await addMember(layer, member);
    }
    await settle(layer);
  } finally {
    system.close(fd);
  }
}

function applyWhiteout({ system, root }: Layer, path: string): void {
  const parent = placeIn(system, root, dirname(path), { last: 'follow' });
  if (parent?.kind !== 'directory') return;
  const name = basename(path);
  const at = parent.path === '/' ? root : root + parent.path;
  if (name === OPAQUE) for (const child of system.list(at)) removeTree(system, `${at}/${child}`);
  else if (name !== WHITEOUT && !name.startsWith(`${WHITEOUT}${WHITEOUT}`)) {
    const hidden = name.slice(WHITEOUT.length);
    if (hidden !== '.' && hidden !== '..') removeTree(system, `${at}/${hidden}`);
  }
}

async function addMember(layer: Layer, member: TarMember): Promise<void> {
  const { system, root, attributes } = layer;
  const path = safePath(layer, member.name);
  const { uid, gid, type } = member;
  if (uid >= 0xffff_ffff || gid >= 0xffff_ffff) throw hostile(member.name, `its owner is ${uid}:${gid}`);
  if (type === 'other') {
    // A container gets its /dev anew.
    if (path.startsWith('dev/')) return;
    throw hostile(member.name, 'it is a device or a pipe, which no image can hold');
  }
  if (path === '') {
    if (type === 'directory') await attributes.set(root, member, 'other');
    return;
  }
  const parent = parentOf(layer, path);
  if (parent === undefined) throw hostile(member.name, 'its parent is no directory');
  const at = `${parent === '/' ? root : root + parent}/${basename(path)}`;
  if (layer.pending.has(at) || layer.pending.size >= MAX_PENDING) await settle(layer);
  const before = system.linkStatus(at);
  if (type === 'directory') {
    if (before?.kind !== 'directory') {
      if (before !== undefined) system.remove(at);
      if (!system.makeDirectory(at, member.mode & 0o777)) throw layer.guard.failed(at);
    }
    const kind = before?.kind === 'directory' ? 'other' : 'made';
    if (await attributes.set(at, member, kind)) layer.pending.add(at);
    return;
  }
  if (type === 'hardlink') {
    const target = placeIn(system, root, safePath(layer, member.target), { last: 'keep' });
    if (target?.kind !== 'file' && target?.kind !== 'symlink') {
      const waits = layer.links.length > 0;
      if (!waits) throw hostile(member.name, `it links to ${member.target}, which is no file`);
      await settle(layer);
      return addMember(layer, member);
    }
    if (root + target.path === at) return;
    replace(layer, at, before?.kind);
    layer.links.push([root + target.path, at]);
    layer.pending.add(at);
    if (layer.links.length >= LINK_BATCH) await settle(layer);
    return;
  }
  replace(layer, at, before?.kind);
  if (type === 'symlink') {
    if (member.target === '' || member.target.length > PATH_BYTES)
      throw hostile(member.name, 'it is a link to nothing');
    if (!system.makeLink(member.target, at)) throw layer.guard.failed(at);
  } else await copyFile(layer, member, at);
  if (await attributes.set(at, member, type === 'symlink' ? 'link' : 'made')) layer.pending.add(at);
}

/** The path of the directory that holds it, within the root; made where the layer leaves it out. */
function parentOf(layer: Layer, path: string): string | undefined {
  const { system, root, directories } = layer;
  const name = dirname(path);
  const known = directories.get(name);
  if (known !== undefined) return known;
  const make = (missing: string): void => {
    if (layer.pending.has(root + missing)) throw hostile(path, 'its parent is no directory');
    if (!system.makeDirectory(root + missing, 0o755)) throw layer.guard.failed(root + missing);
  };
  let place = placeIn(system, root, name, { last: 'follow', make });
  if (place?.kind === 'missing') {
    make(place.path);
    place = { ...place, kind: 'directory' };
  }
  if (place?.kind !== 'directory') return undefined;
  if (directories.size > 500) directories.clear();
  directories.set(name, place.path);
  return place.path;
}

function replace(layer: Layer, at: string, before: string | undefined): void {
  if (before === undefined) return;
  if (before === 'directory') layer.directories.clear();
  removeTree(layer.system, at);
}

async function copyFile({ system, fd, guard }: Layer, member: TarMember, path: string): Promise<void> {
  const to = system.open(path, {
    access: 'write',
    noFollow: true,
    create: { mode: member.mode & 0o777, exclusive: true },
  });
  if (to < 0) throw guard.failed(path);
  try {
    for (let done = 0; done < member.sizeBytes;) {
      const bytes = system.readAt(fd, member.offset + done, Math.min(CHUNK, member.sizeBytes - done));
      if (bytes === 'failed' || bytes.length === 0) throw guard.failed(path);
      await guard.write(to, bytes, path);
      done += bytes.length;
    }
  } finally {
    system.close(to);
  }
}

/** Hard links and attributes that were collected. */
async function settle(layer: Layer): Promise<void> {
  const { system, links, root } = layer;
  layer.pending.clear();
  if (links.length > 0) {
    layer.links = [];
    // Pairs, by xargs, which starts ln once for each: QuickJS knows no link(2).
    const list = `${root}.links`;
    system.writeText(list, links.map(([from, to]) => `${from}\0${to}\0`).join(''), 0o600);
    const argv = ['busybox', 'xargs', '-0', '-n', '2', 'busybox', 'ln', '-f'];
    const { code } = await runProgram(system, argv, { stdinPath: list });
    system.remove(list);
    if (code !== 0) throw layer.guard.failed(root);
  }
  await layer.attributes.flush();
}

export function removeTree(system: System, path: string): void {
  if (system.linkStatus(path)?.kind === 'directory') {
    for (const name of system.list(path)) removeTree(system, `${path}/${name}`);
  }
  system.remove(path);
}

/** Without a leading `/`; empty: the root itself. */
function safePath({ system }: Layer, name: string): string {
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw hostile(name, 'it leads out of the image');
  const path = parts.join('/');
  // What is no UTF-8 was read as U+FFFD.
  if (/[\0\n\ufffd]/.test(path)) throw hostile(name, 'no file can have this name');
  const bytes = (text: string): number => (text.length * 3 < NAME_BYTES ? 0 : system.encode(text).length);
  if (bytes(path) > PATH_BYTES || parts.some((part) => bytes(part) > NAME_BYTES))
    throw hostile(name, 'no file can have this name');
  return path;
}
