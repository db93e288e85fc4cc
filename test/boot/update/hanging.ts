/** A version whose initrd hangs: a good one's UKI, changed where it hands over, and signed again. Nobody pets the watchdog then. */
import { createHash } from 'node:crypto';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { removeSignatures, signPe } from '../../../builder/authenticode/sign.ts';
import { testKeys } from '../image.ts';
import { IMAGE_NAME, UPDATE_WORK, type BuiltVersion } from './versions.ts';

/** The last line of /init's main(), and one of the same length that never ends: no offset in the archive changes. */
const HAND_OVER = '\thand_over\n}';
const HANG = '\tsleep 99d\n}';

/** The build beside it, under the same version. */
export async function hangingInitrd(good: BuiltVersion): Promise<BuiltVersion> {
  const directory = join(UPDATE_WORK, 'builds', `${good.version}-hanging`);
  await cp(good.directory, directory, { recursive: true, force: true });
  const name = `${IMAGE_NAME}_${good.version}.efi`;
  const uki = Buffer.from(removeSignatures(await readFile(join(good.directory, name))));
  const place = uki.indexOf(HAND_OVER);
  if (place < 0 || uki.includes(HAND_OVER, place + 1))
    throw new Error('/init does not end as this test expects');
  uki.write(HANG, place, 'latin1');
  const signed = await signPe(uki, (await testKeys()).uki);
  await writeFile(join(directory, name), signed);
  await correctManifest(directory, name, signed);
  return { ...good, directory, disk: join(directory, basename(good.disk)) };
}

async function correctManifest(directory: string, name: string, bytes: Uint8Array): Promise<void> {
  const path = join(directory, 'manifest.json');
  const manifest = JSON.parse(await readFile(path, 'utf8')) as { artifacts: { name: string }[] };
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const artifacts = manifest.artifacts.map((artifact) =>
    artifact.name === name ? { ...artifact, sha256, sizeBytes: bytes.length } : artifact,
  );
  await writeFile(path, JSON.stringify({ ...manifest, artifacts }, undefined, 2));
}
