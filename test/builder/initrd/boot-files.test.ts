import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bootFiles, GENERATED_ETC } from '../../../builder/initrd/boot-files.ts';
import { kernelCommandLine } from '../../../builder/initrd/command-line.ts';
import { readSource } from '../../../builder/initrd/cpio.ts';
import { bootConf } from '../../../builder/initrd/initrd-files.ts';
import type { ImageDefinition } from '../../../spec/image.ts';

const image = {
  name: 'minimal',
  version: '1.0.0',
  architecture: 'amd64',
  kernel: {
    package: 'linux-image-cloud-amd64',
    modules: [],
    initrdModules: [],
    commandLine: ["a='b c'"],
    firmware: [],
    microcode: false,
  },
  profiles: [],
} as unknown as ImageDefinition;
const rootHash = '0123456789abcdef'.repeat(4);

describe('the boot files of the root', () => {
  const text = (path: string, of: ImageDefinition = image): string => {
    const found = bootFiles(of).find((entry) => entry.path === path);
    return found?.type === 'file' ? Buffer.from(readSource(found.source)).toString() : '';
  };

  test('a production image has no shell on its console, a debug image has', () => {
    expect(text('/etc/inittab')).not.toMatch(/bin\/sh/);
    expect(text('/etc/inittab', { ...image, profiles: ['debug'] })).toMatch(/^ttyS0::respawn:-\/bin\/sh$/m);
  });

  test('the files of /etc that change are links to /run/etc, and no others', () => {
    const links = bootFiles(image).flatMap((entry) =>
      entry.type === 'symlink' ? [[entry.path, entry.target]] : [],
    );
    expect(links).toEqual(GENERATED_ETC.map((name) => [`/etc/${name}`, `/run/etc/${name}`]));
  });
});

describe('the signed facts', () => {
  test('the command line has the baseline, then the image’s words, then the root hash, then nothing that the kernel reads', () => {
    const words = kernelCommandLine(image, rootHash).split(' ');
    for (const word of [
      'gpt',
      'lockdown=integrity',
      'module.sig_enforce=1',
      'panic=10',
      'oops=panic',
      'softlockup_panic=1',
    ])
      expect(words).toContain(word);
    expect(words.slice(-2)).toEqual([`roothash=${rootHash}`, '--']);
  });

  test('boot.conf says them to a shell, whatever characters they have', () => {
    const conf = bootConf({
      image,
      modules: { release: '6.12.0', modules: [], builtin: new Set(), builtinList: '' },
      root: { rootHash, dataBlocks: 12345, salt: '' },
      commandLine: kernelCommandLine(image, rootHash),
    });
    const value = (name: string): string =>
      execFileSync('sh', ['-c', `${conf}printf %s "$${name}"`], { encoding: 'utf8' });
    expect(value('COMMAND_LINE')).toBe(kernelCommandLine(image, rootHash));
    expect(value('ROOT_BLOCKS')).toBe('12345');
    expect(value('VERITY_UUID')).toBe('0123456789ABCDEF0123456789ABCDEF');
    expect(value('VERITY_SALT')).toBe('-');
    expect(value('DEBUG')).toBe('0');
  });
});

describe('the boot scripts', () => {
  const scripts = readdirSync('host/boot').filter((name) =>
    /^#.*sh/.test(readFileSync(join('host/boot', name), 'utf8')),
  );

  test.each(scripts)('%s passes shellcheck', (name) => {
    execFileSync('shellcheck', ['--shell=dash', join('host/boot', name)], { encoding: 'utf8' });
  });
});
