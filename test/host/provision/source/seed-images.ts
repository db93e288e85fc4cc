/** Media with provisioning data, made by the tools that people make them with. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export type Files = Readonly<Record<string, string | Uint8Array>>;

export type DiscMaker =
  'genisoimage' | 'xorriso' | 'genisoimage -joliet' | 'genisoimage -rock' | 'genisoimage -udf';

const ARGUMENTS: Readonly<Record<DiscMaker, readonly string[]>> = {
  // As cloud-init's documentation and cloud-localds call it.
  genisoimage: ['genisoimage', '-quiet', '-joliet', '-rock'],
  xorriso: ['xorriso', '-as', 'genisoimage', '-quiet', '-joliet', '-rock'],
  'genisoimage -joliet': ['genisoimage', '-quiet', '-joliet'],
  'genisoimage -rock': ['genisoimage', '-quiet', '-rock'],
  'genisoimage -udf': ['genisoimage', '-quiet', '-udf', '-iso-level', '3'],
};

export function makeDisc(
  image: string,
  label: string,
  files: Files,
  maker: DiscMaker = 'genisoimage',
): string {
  const folder = `${image}.files`;
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  mkdirSync(folder, { recursive: true });
  const [program = '', ...options] = ARGUMENTS[maker];
  execFileSync(program, [...options, '-volid', label, '-output', image, folder], { stdio: 'pipe' });
  return image;
}

export interface FatOptions {
  readonly sizeBytes?: number;
  readonly bits?: 12 | 16 | 32;
  readonly sectorBytes?: number;
}

export function makeFat(image: string, label: string, files: Files, options: FatOptions = {}): string {
  const { sizeBytes = 2 * 1024 * 1024, bits = 12, sectorBytes = 512 } = options;
  closeSync(openSync(image, 'w'));
  truncateSync(image, sizeBytes);
  const environment = {
    ...process.env,
    PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
    MTOOLS_SKIP_CHECK: '1',
  };
  const run = (argv: readonly string[], input?: Uint8Array | string): void => {
    const [program = '', ...rest] = argv;
    execFileSync(program, rest, {
      env: environment,
      stdio: 'pipe',
      ...(input === undefined ? {} : { input }),
    });
  };
  run(['mkfs.vfat', '-F', String(bits), '-S', String(sectorBytes), '-n', label, image]);
  const folders = new Set(
    Object.keys(files).flatMap((name) =>
      name
        .split('/')
        .slice(0, -1)
        .map((_, index, parts) => parts.slice(0, index + 1).join('/')),
    ),
  );
  for (const folder of folders) run(['mmd', '-i', image, `::${folder}`]);
  for (const [name, content] of Object.entries(files)) run(['mcopy', '-i', image, '-', `::${name}`], content);
  return image;
}
