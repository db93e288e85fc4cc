/** What a machine needs to start over the network and run from memory: one UKI that holds everything, and the same in parts for iPXE. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { removeSignatures, signPe } from '../authenticode/sign.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { espTar } from './live/esp-files.ts';
import { liveInitrd, liveUki, readUki, signerOf, type LiveBoot } from './live/uki.ts';
import { writeOutput } from './output.ts';
import { requireBuild, type BuildParts, type ExportContext, type ExportSource } from './source.ts';

/** What `write` makes, in this order. */
export const NETBOOT_SUFFIXES = [
  '.netboot.efi',
  '.netboot.vmlinuz',
  '.netboot.initrd',
  '.netboot.ipxe',
] as const;

/** Firmware loads the UKI by HTTP or TFTP; iPXE chains it, or takes kernel and initrd where there is no Secure Boot. */
export async function writeNetboot(
  source: ExportSource,
  outputs: readonly string[],
  { keys }: ExportContext,
): Promise<void> {
  const build = requireBuild(source, 'netboot');
  const [ukiPath = '', kernelPath = '', initrdPath = '', scriptPath = ''] = outputs;
  const loaded = await keys();
  const parts = await readUki(build);
  const boot: LiveBoot = {
    root: 'memory',
    values: {},
    modules: ['loop'],
    files: await liveFiles(source, build),
  };
  const uki = await liveUki(build, parts, await liveInitrd(build, parts, boot), loaded);
  await write(ukiPath, uki);

  // iPXE puts the name of the kernel's file in front of its arguments. Its initrd is not signed: what it says of the line is for people.
  const kernelName = basename(kernelPath);
  const commandLine = parts.commandLine;
  const initrd = await liveInitrd(build, parts, {
    ...boot,
    values: { COMMAND_LINE: `${kernelName} ${commandLine}` },
  });
  await write(kernelPath, await signPe(removeSignatures(parts.kernel), signerOf(build, loaded)));
  await write(initrdPath, initrd);
  await write(scriptPath, Buffer.from(script(build, { ukiPath, kernelPath, initrdPath, commandLine })));
}

/** What the machine runs from, and what `slip install` puts on an ESP. */
async function liveFiles(source: ExportSource, { root, verity }: BuildParts): Promise<readonly TreeEntry[]> {
  const file = (name: string, bytes: Uint8Array): TreeEntry => ({
    ...{ path: `/live/${name}`, type: 'file', mode: 0o444, uid: 0, gid: 0, component: 'initrd' },
    source: { kind: 'bytes', bytes },
  });
  return [
    file('root.erofs', await readFile(root)),
    file('verity', await readFile(verity)),
    file('esp.tar', await espTar(source)),
  ];
}

/** Names are relative to the script's own URL. */
function script(
  build: BuildParts,
  names: {
    readonly ukiPath: string;
    readonly kernelPath: string;
    readonly initrdPath: string;
    readonly commandLine: string;
  },
): string {
  return `#!ipxe
# ${build.name} ${build.version}, root hash ${build.rootHash}
# With Secure Boot the UKI alone is trusted as a whole: chain ${basename(names.ukiPath)} instead of the three lines below.
kernel ${basename(names.kernelPath)} ${names.commandLine}
initrd ${basename(names.initrdPath)}
boot
`;
}

async function write(path: string, bytes: Uint8Array): Promise<void> {
  await writeOutput(path, (file) => file.append(bytes));
}
