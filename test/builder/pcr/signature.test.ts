/** What we say a stub measures, judged by systemd's own tool. That real stubs measure it, test/boot/tpm.test.ts shows. */
import { createHash, createPublicKey, createVerify } from 'node:crypto';
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openArchive } from '../../../builder/debian/archive.ts';
import { closePackages } from '../../../builder/debian/closure.ts';
import { findMirrors } from '../../../builder/debian/mirror.ts';
import { lockedPackage, suitesOf } from '../../../builder/lock/resolve.ts';
import { hasPcrKey, loadPcrSigner, makePcrKey, type PcrSigner } from '../../../builder/pcr/key.ts';
import { kernelBootPcr } from '../../../builder/pcr/measure.ts';
import { pcrPolicy, pcrSignature, withPcrSignature } from '../../../builder/pcr/signature.ts';
import { parsePe, sectionData } from '../../../builder/pe/parse.ts';
import { run } from '../../../builder/process/run.ts';
import { openToolbox } from '../../../builder/tools/toolbox.ts';
import { makeUki } from '../../../builder/uki/uki.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { testKeys } from '../test-keys.ts';

const scratch = scratchDirectory();
const toolbox = await lockedToolbox();
const stub = await readFile(toolbox.file('/usr/lib/systemd/boot/efi/linuxx64.efi.stub'));
/** Any PE image will do for the kernel's place. */
const kernel = await readFile(toolbox.file('/usr/lib/systemd/boot/efi/systemd-bootx64.efi'));

/** A keys directory of this test's own, with a key for PCR 11. */
async function keysDirectory(name: string): Promise<string> {
  const directory = join(scratch, name);
  await cp(await testKeys(), directory, { recursive: true });
  await rm(join(directory, 'pcr.key'), { force: true });
  await rm(join(directory, 'pcr.pub'), { force: true });
  await makePcrKey(directory);
  return directory;
}

function ukiFor(signer: PcrSigner, more: { readonly microcode?: Uint8Array } = {}): Uint8Array {
  return makeUki({
    ...{ stub, kernel, initrd: Buffer.alloc(70_001, 'initrd'), commandLine: 'console=ttyS0 quiet' },
    ...{ osRelease: 'ID=slipway\n', uname: '6.12.1-cloud-amd64', pcrPublicKey: signer.publicKey },
    ...more,
  });
}

describe('PCR 11 of a UKI', () => {
  let directory: string;
  let signer: PcrSigner;
  /** argv of systemd-measure, of Debian's stable suite. */
  let measure: readonly string[];

  beforeAll(async () => {
    directory = await keysDirectory('measured');
    signer = await loadPcrSigner(directory);
    const mirrors = await findMirrors({});
    const archive = await openArchive({ mirrors, suites: suitesOf('trixie'), architecture: 'amd64' });
    const names = ['libc6', 'libtss2-esys-3.0.2-0t64', 'libtss2-rc0t64', 'systemd'];
    const systemd = await openToolbox(closePackages(archive, names).map(lockedPackage), {
      mirrors: () => Promise.resolve(mirrors),
    });
    measure = [
      ...systemd.command('systemctl').slice(0, -1),
      systemd.file('/usr/lib/systemd/systemd-measure'),
    ];
  }, 240_000);

  /** The sections as they lie in memory, as files, in whatever order. */
  async function sections(uki: Uint8Array): Promise<string[]> {
    const folder = join(scratch, 'sections');
    await mkdir(folder, { recursive: true });
    const pe = parsePe(uki);
    const options: string[] = [];
    for (const name of ['uname', 'sbat', 'initrd', 'ucode', 'cmdline', 'osrel', 'linux', 'pcrpkey']) {
      const data = sectionData(pe, `.${name}`);
      const size = pe.sections.find((section) => section.name === `.${name}`)?.virtualSize ?? 0;
      if (data === undefined) continue;
      const file = join(folder, name);
      await writeFile(file, Buffer.concat([data, Buffer.alloc(size - data.length)]));
      options.push(`--${name}=${file}`);
    }
    return options;
  }

  test.each([['without', {}] as const, ['with', { microcode: Buffer.alloc(4096, 'cpu') }] as const])(
    'is what systemd-measure says, %s microcode',
    async (_name, more) => {
      const uki = ukiFor(signer, more);
      const argv = [...measure, 'calculate', '--bank=sha256', '--phase=', ...(await sections(uki))];
      const { stdout } = await run(argv);
      expect(stdout.toString()).toContain(`11:sha256=${kernelBootPcr(uki).toString('hex')}\n`);
    },
  );

  test('is signed as systemd-measure signs it, byte for byte', async () => {
    const uki = ukiFor(signer);
    const { stdout } = await run([
      ...[...measure, 'sign', '--bank=sha256', '--phase=', ...(await sections(uki))],
      ...[`--private-key=${join(directory, 'pcr.key')}`, `--public-key=${join(directory, 'pcr.pub')}`],
    ]);
    expect(JSON.parse(await pcrSignature(uki, signer))).toEqual(JSON.parse(stdout.toString()));
  });

  test('does not change when the signature is put into the UKI', async () => {
    const uki = ukiFor(signer);
    const signed = await withPcrSignature(uki, signer);
    expect(kernelBootPcr(signed)).toEqual(kernelBootPcr(uki));
    const text = Buffer.from(sectionData(parsePe(signed), '.pcrsig') ?? []).toString();
    expect(text).toBe(await pcrSignature(uki, signer));
    for (const { name, virtualAddress } of parsePe(uki).sections)
      expect(parsePe(signed).sections.find((section) => section.name === name)?.virtualAddress).toBe(
        virtualAddress,
      );
  });

  test('is another one for another initrd, and for another key', async () => {
    const uki = ukiFor(signer);
    const other = await loadPcrSigner(await keysDirectory('other'));
    expect(kernelBootPcr(ukiFor(other))).not.toEqual(kernelBootPcr(uki));
    expect(kernelBootPcr(ukiFor(signer, { microcode: Buffer.alloc(8) }))).not.toEqual(kernelBootPcr(uki));
  });
});

describe('the key of PCR 11', () => {
  test('signs what a TPM computes, and says whose it is', async () => {
    const signer = await loadPcrSigner(await keysDirectory('verified'));
    const uki = ukiFor(signer);
    const entry = (
      JSON.parse(await pcrSignature(uki, signer)) as { sha256: { pol: string; sig: string; pkfp: string }[] }
    ).sha256[0]!;
    const policy = pcrPolicy(kernelBootPcr(uki));
    expect(entry.pol).toBe(policy.toString('hex'));
    const verify = createVerify('sha256').update(policy);
    expect(verify.verify(signer.publicKey, Buffer.from(entry.sig, 'base64'))).toBe(true);
    const der = createPublicKey(signer.publicKey).export({ type: 'pkcs1', format: 'der' });
    expect(entry.pkfp).toBe(createHash('sha256').update(der).digest('hex'));
  });

  test('is made once', async () => {
    const directory = await keysDirectory('once');
    const before = await readFile(join(directory, 'pcr.pub'));
    expect(await makePcrKey(directory)).toBe(false);
    expect(await readFile(join(directory, 'pcr.pub'))).toEqual(before);
  });

  test('is asked for where it is missing', async () => {
    const directory = await keysDirectory('missing');
    await rm(join(directory, 'pcr.pub'));
    expect(hasPcrKey(directory)).toBe(false);
    await expect(loadPcrSigner(directory)).rejects.toMatchObject({
      code: 'keys.no-pcr-key',
      hint: `make one: slipway keys init ${directory}`,
    });
  });

  test('may live elsewhere, and a program that signs wrongly is found out', async () => {
    const directory = await keysDirectory('elsewhere');
    const key = join(scratch, 'elsewhere.key');
    await cp(join(directory, 'pcr.key'), key);
    await rm(join(directory, 'pcr.key'));
    const program = (command: string[]): Promise<void> =>
      readFile(join(directory, 'keys.json'), 'utf8').then((text) =>
        writeFile(
          join(directory, 'keys.json'),
          JSON.stringify({ ...(JSON.parse(text) as object), signers: { pcr: { command } } }),
        ),
      );
    const sign = ['openssl', 'pkeyutl', '-sign', '-inkey', key, '-pkeyopt', 'digest:sha256'];
    await program(sign);
    const signer = await loadPcrSigner(directory);
    expect(await pcrSignature(ukiFor(signer), signer)).toContain('"pcrs":[11]');
    await program(['cat']);
    const wrong = await loadPcrSigner(directory);
    await expect(pcrSignature(ukiFor(wrong), wrong)).rejects.toMatchObject({ code: 'sign.wrong-signature' });
  });
});
