/** The UKI of a build made anew for a machine without a disk of ours: the same kernel and initrd, told where its root is. */
import { readFile } from 'node:fs/promises';
import { SlipwayError } from '../../../spec/error.ts';
import { signPe } from '../../authenticode/sign.ts';
import { readErofs, type ErofsImage } from '../../erofs/read.ts';
import { readCpio } from '../../initrd/cpio-read.ts';
import { writeCpio } from '../../initrd/cpio.ts';
import { shellAssignments } from '../../initrd/initrd-files.ts';
import { withFile } from '../../inspect/source.ts';
import type { Keys } from '../../keys/load.ts';
import { bootScript } from '../../own-files.ts';
import { parsePe, sectionData } from '../../pe/parse.ts';
import type { TreeEntry } from '../../tree/entry.ts';
import { textFile } from '../../tree/skeleton.ts';
import { makeUki } from '../../uki/uki.ts';
import type { BuildParts } from '../source.ts';

export interface LiveBoot {
  /** `medium`: at places that `values` tell. `memory`: the initrd holds /live/root.erofs, /live/verity and /live/esp.tar. */
  readonly root: 'medium' | 'memory';
  /** More lines for boot.conf. */
  readonly values: Readonly<Record<string, string>>;
  /** Names of modules that find the root. */
  readonly modules: readonly string[];
  readonly files: readonly TreeEntry[];
}

export interface UkiParts {
  readonly kernel: Uint8Array;
  readonly initrd: readonly TreeEntry[];
  readonly commandLine: string;
  readonly osRelease: string;
  readonly uname: string;
}

/** Of the build's own UKI. */
export async function readUki(build: BuildParts): Promise<UkiParts> {
  const pe = parsePe(await readFile(build.uki));
  const section = (name: string): Uint8Array => {
    const data = sectionData(pe, name);
    if (data === undefined) throw new SlipwayError('export.uki', `${build.uki} has no section ${name}`);
    return data;
  };
  const text = (name: string): string => Buffer.from(section(name)).toString('utf8');
  return {
    kernel: withoutPadding(section('.linux')),
    initrd: readCpio(section('.initrd'), 'initrd'),
    commandLine: text('.cmdline'),
    osRelease: text('.osrel'),
    uname: text('.uname'),
  };
}

/** A section ends with zeros up to its alignment; a signed kernel ends with its signatures. */
function withoutPadding(kernel: Uint8Array): Uint8Array {
  const { security } = parsePe(kernel);
  return security === undefined ? kernel : kernel.subarray(0, security.offset + security.size);
}

/** The initrd of `parts` for a live boot. */
export async function liveInitrd(build: BuildParts, parts: UkiParts, boot: LiveBoot): Promise<Uint8Array> {
  const modules = await withFile(build.root, async (source) =>
    loadOrder(await readErofs(source), parts.uname, boot.modules),
  );
  const values = { LIVE: boot.root, LIVE_MODULES: modules.map(({ name }) => name).join(' '), ...boot.values };
  const known = new Set(parts.initrd.map(({ path }) => path));
  const entries = parts.initrd.map((entry) =>
    entry.path === '/etc/slipway/boot.conf' ? withValues(entry, values) : entry,
  );
  return writeCpio([
    ...entries,
    textFile('/etc/slipway/live', bootScript('live'), 'initrd'),
    {
      ...{ path: '/usr/bin/losetup', type: 'symlink', target: 'busybox' },
      ...{ mode: 0o777, uid: 0, gid: 0, component: 'initrd' },
    },
    ...modules.map(({ entry }) => entry).filter(({ path }) => !known.has(path)),
    ...boot.files,
  ]);
}

/** Signed as the build's own UKI is. */
export async function liveUki(
  build: BuildParts,
  parts: UkiParts,
  initrd: Uint8Array,
  keys: Keys,
): Promise<Uint8Array> {
  const { kernel, commandLine, osRelease, uname } = parts;
  const stub = { amd64: 'linuxx64.efi.stub', arm64: 'linuxaa64.efi.stub' }[build.architecture];
  const unsigned = makeUki({
    stub: await readFile(build.toolbox.file(`/usr/lib/systemd/boot/efi/${stub}`)),
    ...{ kernel, initrd, commandLine, osRelease, uname },
  });
  return signPe(unsigned, signerOf(build, keys));
}

export function signerOf(build: BuildParts, keys: Keys): Keys['uki'] {
  return keys.sets[build.debug ? 'debug' : 'release'].signer;
}

/** The last assignment counts. */
function withValues(entry: TreeEntry, values: Readonly<Record<string, string>>): TreeEntry {
  if (entry.type !== 'file' || entry.source.kind !== 'bytes') throw new Error('boot.conf is a file');
  const text = `${Buffer.from(entry.source.bytes).toString('utf8')}${shellAssignments(values)}`;
  return { ...entry, source: { kind: 'bytes', bytes: Buffer.from(text) } };
}

/** Modules with what they need, from the root, by its modules.dep; those that the kernel has built in are not there. */
async function loadOrder(
  root: ErofsImage,
  release: string,
  names: readonly string[],
): Promise<readonly { readonly name: string; readonly entry: TreeEntry }[]> {
  const directory = `/usr/lib/modules/${release}`;
  const lines = ((await root.readFile(`${directory}/modules.dep`)) ?? Buffer.alloc(0))
    .toString('utf8')
    .split('\n');
  const builtin = ((await root.readFile(`${directory}/modules.builtin`)) ?? Buffer.alloc(0)).toString('utf8');
  const paths = names.flatMap((name) => {
    const line = lines.find((candidate) => candidate.split(':')[0]?.endsWith(`/${name}.ko`));
    if (line === undefined && !builtin.includes(`/${name}.ko`))
      throw new SlipwayError('export.no-module', `the image has no module ${name}, which a live one needs`, {
        hint: 'build the image anew with this Slipway',
      });
    const [self = '', ...needs] = line?.split(/:? /) ?? [];
    // The nearest dependency comes first there, and is loaded last.
    return line === undefined ? [] : [...needs.reverse(), self.replace(/:$/, '')];
  });
  return Promise.all(
    [...new Set(paths)].map(async (name) => {
      const path = `${directory}/${name}`;
      const bytes = await root.readFile(path);
      if (bytes === undefined) throw new SlipwayError('export.no-module', `the image has no ${path}`);
      const entry: TreeEntry = {
        ...{ path, type: 'file', mode: 0o644, uid: 0, gid: 0, component: 'modules' },
        source: { kind: 'bytes', bytes },
      };
      return { name, entry };
    }),
  );
}
