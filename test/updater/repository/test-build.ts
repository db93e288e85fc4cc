/** Small builds, whole in every part that a release is made of, and keys for a repository of them. */
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signPe } from '../../../builder/authenticode/sign.ts';
import { loadKeys, type Keys } from '../../../builder/keys/load.ts';
import { makeUki } from '../../../builder/uki/uki.ts';
import { osRelease } from '../../../builder/uki/os-release.ts';
import { makeVerity } from '../../../builder/verity/verity.ts';
import { tufDirectory } from '../../../updater/repository/keys/directory.ts';
import { initTufKeys, type TufInitOptions } from '../../../updater/repository/keys/init.ts';
import { loadTufKeys, type TufKeys } from '../../../updater/repository/keys/load.ts';
import { readBuild, type Build } from '../../../updater/repository/release/build.ts';
import { payloadTools, type PayloadTools } from '../../../updater/repository/release/payload-tools.ts';
import { lockedToolbox } from '../../builder/locked-toolbox.ts';
import { testKeys } from '../../builder/test-keys.ts';

/** A keys directory with both kinds of keys, in which tests may change anything. */
export async function repositoryKeys(directory: string, options: TufInitOptions = {}): Promise<TufKeys> {
  await cp(await testKeys(), directory, { recursive: true });
  // Other tests may have made some in what is shared.
  await rm(tufDirectory(directory), { recursive: true, force: true });
  await initTufKeys(directory, options);
  return loadTufKeys(directory);
}

export interface BuildSpec {
  readonly version: string;
  readonly image?: string;
  readonly debug?: boolean;
  /** What is new in its root. */
  readonly change?: string;
}

/** Writes what `slipway build` would, into `directory/<image>_<version>`; but no disk. Versions differ in a few bytes, as real ones do. */
export async function writeTestBuild(directory: string, spec: BuildSpec): Promise<string> {
  const { version, image = 'test', debug = false, change = version } = spec;
  const toolbox = await lockedToolbox();
  const keys: Keys = await loadKeys(await testKeys());
  const base = `${image}_${version}`;
  const output = join(directory, base);
  const at = (name: string): string => join(output, name);
  await mkdir(output, { recursive: true });
  await writeFile(at(`${base}.root.erofs`), rootBytes(change));
  const verity = await makeVerity(at(`${base}.root.erofs`), at(`${base}.verity`), {
    toolbox,
    salt: 'ab'.repeat(32),
  });
  const efi = (name: string): Promise<Buffer> => readFile(toolbox.file(`/usr/lib/systemd/boot/efi/${name}`));
  const uki = await signPe(
    makeUki({
      stub: await efi('linuxx64.efi.stub'),
      kernel: await efi('systemd-bootx64.efi'),
      initrd: Buffer.from(`initrd of ${change}`),
      commandLine: `quiet roothash=${verity.rootHash}`,
      osRelease: osRelease({ name: image, version, architecture: 'amd64' }),
      uname: '6.12.1',
    }),
    debug ? keys.debug : keys.uki,
  );
  await writeFile(at(`${base}.efi`), uki);
  const manifest = {
    format: '1.0',
    requires: [],
    ...{ name: image, version, architecture: 'amd64', epoch: 1_700_000_000, layoutVersions: [1] },
    ...{ stateVersion: 1, minMemoryMiB: 200, debug, rootHash: verity.rootHash, artifacts: [] },
    disk: { name: `${base}.raw` },
  };
  await writeFile(at('manifest.json'), JSON.stringify(manifest));
  return output;
}

export async function testBuild(directory: string, spec: BuildSpec): Promise<Build> {
  return readBuild(await writeTestBuild(directory, spec), undefined);
}

export async function testTools(): Promise<PayloadTools> {
  return payloadTools(await lockedToolbox());
}

/** 64 blocks that do not compress, of which one is the version's own. */
function rootBytes(change: string): Buffer {
  const blocks = Array.from({ length: 64 }, (_, index) => noise(index === 7 ? change : `block ${index}`));
  return Buffer.concat(blocks);
}

function noise(seed: string): Buffer {
  const parts = Array.from({ length: 128 }, (_, index) =>
    createHash('sha256').update(`${seed} ${index}`).digest(),
  );
  return Buffer.concat(parts);
}
