/** The state partition becomes an encrypted one: on a file, with programs that stand for cryptsetup's, cut off at every step. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { scratchDirectory } from '../../builder/scratch.ts';

const MIB = 1024 * 1024;
const FILE_SYSTEM_MIB = 2;
const PARTITION_MIB = 24;
const HEADER_MIB = 16;
const APPLETS = ['cat', 'grep', 'head', 'hexdump', 'kill', 'mkdir', 'printf', 'rm', 'sleep', 'tail', 'tr'];

const scratch = scratchDirectory();
const programs = join(scratch, 'bin');
const recoveryKey = Array.from({ length: 8 }, () => 'cbdefghi').join('-');
let fileSystem: Buffer;
let count = 0;

/** Counts what changes the disk; the one whose turn it is does half of its work (`CUT_HALF`), or none, and takes the shell with it. */
const STEP = `
step() {
	read -r steps <"$WORK/steps"
	steps=$((steps + 1))
	echo "$steps" >"$WORK/steps"
	[ "$steps" = "$CUT_AT" ] || return 0
	[ -z "$CUT_HALF" ] || "$@"
	read -r shell <"$WORK/shell"
	kill -9 "$shell"
	exit 137
}
`;

/** dd of the machine; half of one is one block. */
const DD = `#!/usr/bin/busybox sh
. "$WORK/step"
one() {
	for word; do case $word in count=*) ;; *) set -- "$@" "$word" ;; esac; shift; done
	busybox dd "$@" count=1
}
case "$*" in *of=*img* | *of=*volume*) step one "$@" ;; esac
exec busybox dd "$@"
`;

/** chroot of the machine: cryptsetup and systemd's programs, as far as anybody can see what they did. */
const CHROOT = `#!/usr/bin/busybox sh
. "$WORK/step"
shift
program=\${1##*/}
shift
label() {
	{ printf 'LUKS\\272\\276\\000\\002'; busybox head -c 16 /dev/zero; printf '%s' "$1"; busybox head -c 48 /dev/zero; } |
		busybox dd of="$WORK/img" conv=notrunc bs=4096 2>/dev/null
}
wipe_header() { busybox dd if=/dev/zero of="$WORK/img" bs=1M count=${HEADER_MIB} conv=notrunc 2>/dev/null; }
map() { busybox dd if="$WORK/img" of="$WORK/volume" bs=1M skip=${HEADER_MIB} count=4 2>/dev/null; }
nothing() { :; }
case "$program $1 $*" in
cryptsetup\\ luksFormat*) step wipe_header; wipe_header; case "$*" in *slipway-state-new*) label slipway-state-new ;; esac ;;
cryptsetup\\ open*) map ;;
cryptsetup\\ close*) busybox dd if="$WORK/volume" of="$WORK/img" bs=1M seek=${HEADER_MIB} conv=notrunc 2>/dev/null ;;
cryptsetup\\ luksKillSlot*) step nothing ;;
cryptsetup\\ config*) step nothing; label slipway-state ;;
systemd-cryptenroll*--recovery-key*) step nothing; echo '${recoveryKey}' ;;
systemd-cryptenroll*) step nothing ;;
systemd-cryptsetup\\ attach*) map ;;
esac
`;

beforeAll(() => {
  mkdirSync(programs, { recursive: true });
  const program = (name: string, text: string): void => {
    writeFileSync(join(programs, name), text);
    chmodSync(join(programs, name), 0o755);
  };
  for (const name of APPLETS) symlinkSync('/usr/bin/busybox', join(programs, name));
  symlinkSync('/usr/bin/busybox', join(programs, 'busybox'));
  program('dd', DD);
  program('chroot', CHROOT);
  for (const name of ['blockdev', 'mount', 'umount']) program(name, '#!/bin/sh\n');
  fileSystem = randomBytes(FILE_SYSTEM_MIB * MIB);
  fileSystem.writeUInt32LE((FILE_SYSTEM_MIB * MIB) / 4096, 1028);
  fileSystem.writeUInt16LE(0xef53, 1080);
});

interface Machine {
  readonly work: string;
  readonly boot: (cut?: { readonly at: number; readonly half: boolean }) => Promise<Boot>;
}

interface Boot {
  readonly opened: boolean;
  readonly problem: string;
  readonly steps: number;
  readonly shown: readonly string[];
}

/** A machine with this partition, under Secure Boot, with a TPM. */
function machine(partition: Buffer, changes: Readonly<Record<string, string | undefined>> = {}): Machine {
  const work = join(scratch, String(count++));
  const files: Record<string, string | Buffer | undefined> = {
    'sys/img/size': `${(PARTITION_MIB * MIB) / 512}\n`,
    'pcr/7': `${'AB'.repeat(32)}\n`,
    'pcr/11': `${'CD'.repeat(32)}\n`,
    'pcr/12': `${'00'.repeat(32)}\n`,
    signature: '{}\n',
    'efi/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c': Buffer.from([6, 0, 0, 0, 1]),
    consoles: 'console\n',
    step: STEP,
    ...changes,
  };
  for (const [path, content] of Object.entries(files)) {
    if (content === undefined) continue;
    mkdirSync(join(work, path, '..'), { recursive: true });
    writeFileSync(join(work, path), content);
  }
  for (const folder of ['root/var', 'root/usr/lib/slipway/boot'])
    mkdirSync(join(work, folder), { recursive: true });
  const img = Buffer.alloc(PARTITION_MIB * MIB);
  partition.copy(img);
  writeFileSync(join(work, 'img'), img);
  // Fixed places of the machine, moved into the folder; what the shell's -c wants for a TPM, any character device is.
  const moved = (name: string): string =>
    readFileSync(resolve('host/boot', name), 'utf8')
      .replaceAll('/sys/class/block/dm-*', `${work}/dm`)
      .replaceAll('/sys/class/block', `${work}/sys`)
      .replaceAll('/sys/class/tpm/tpm0/pcr-sha256', `${work}/pcr`)
      .replaceAll('/sys/class/tty/console/active', `${work}/consoles`)
      .replaceAll('[ ! -c "/dev/$console" ] ||', '')
      .replaceAll('>"/dev/$console"', `>>${work}/shown`)
      .replaceAll('sleep 20', 'sleep 0.2')
      .replaceAll('/dev/watchdog0', `${work}/watchdog`)
      .replaceAll('/tmp/extend', `${work}/extend`)
      .replaceAll('TPM=/dev/tpmrm0', `TPM=${changes['tpm'] ?? '/dev/null'}`);
  writeFileSync(join(work, 'root/usr/lib/slipway/boot/state-convert'), moved('state-convert'));
  writeFileSync(
    join(work, 'run'),
    `${moved('encrypted-state')}
find_mapping() { file_system=${work}/volume; [ -e "$file_system" ]; }
say() { echo "$1"; }
note() { printf '%s\\n' "$2" >"$BOOT/$1"; }
problem=''
open_state && echo OPENED || echo "PROBLEM $problem"
`,
  );
  return {
    work,
    boot: async (cut) => {
      // What is in memory is gone.
      for (const name of ['boot', 'volume', 'shown'])
        rmSync(join(work, name), { recursive: true, force: true });
      mkdirSync(join(work, 'boot'));
      if (existsSync(join(work, 'signature')))
        cpSync(join(work, 'signature'), join(work, 'boot/pcr-signature.json'));
      writeFileSync(join(work, 'steps'), '0\n');
      const script = `echo $$ >${work}/shell; BOOT=${work}/boot ROOT=${work}/root EFI=${work}/efi state=${work}/img; . ${work}/run`;
      const { stdout, stderr } = await shell(script, {
        ...{ PATH: programs, WORK: work },
        ...{ CUT_AT: String(cut?.at ?? 0), CUT_HALF: cut?.half === true ? '1' : '' },
      });
      const shown = existsSync(join(work, 'shown')) ? readFileSync(join(work, 'shown'), 'utf8') : '';
      return {
        opened: stdout.includes('OPENED'),
        problem: /PROBLEM (.*)/.exec(stdout)?.[1] ?? stderr,
        steps: Number(readFileSync(join(work, 'steps'), 'utf8')),
        shown: shown.split('\r\n'),
      };
    },
  };
}

function shell(script: string, env: Record<string, string>): Promise<{ stdout: string; stderr: string }> {
  const child = spawn('/usr/bin/busybox', ['sh', '-c', script], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (chunk: string) => (text[name] += chunk));
  return new Promise((done) => child.on('close', () => done(text)));
}

/** As it should end: encrypted, nothing of it in the clear, and nothing of it lost. */
function expectEncrypted(work: string): void {
  const img = readFileSync(join(work, 'img'));
  expect(img.subarray(0, 6).toString('latin1')).toBe('LUKS\xba\xbe');
  expect(img.subarray(24, 72).toString('latin1').replaceAll('\0', '')).toBe('slipway-state');
  expect(readFileSync(join(work, 'volume')).subarray(0, fileSystem.length).equals(fileSystem)).toBe(true);
  const rest = img.subarray((PARTITION_MIB - FILE_SYSTEM_MIB - 1) * MIB);
  expect(rest.equals(Buffer.alloc(rest.length))).toBe(true);
  expect(existsSync(join(work, 'boot/state-key'))).toBe(false);
}

describe('a new machine', () => {
  test('encrypts what it finds, shows the recovery key once, and opens it from then on', async () => {
    const { work, boot } = machine(fileSystem);
    const first = await boot();
    expect(first).toMatchObject({ opened: true });
    expect(first.shown.filter((line) => line.includes(recoveryKey))).toHaveLength(2);
    expectEncrypted(work);
    const second = await boot();
    expect(second).toEqual({ opened: true, problem: '', steps: 0, shown: [''] });
  });

  test('loses nothing wherever it is cut', { timeout: 300_000 }, async () => {
    const { steps } = await machine(fileSystem).boot();
    expect(steps).toBeGreaterThan(8);
    for (let at = 1; at <= steps; at += 1)
      await Promise.all(
        [false, true].map(async (half) => {
          const { work, boot } = machine(fileSystem);
          expect((await boot({ at, half })).opened, `cut at ${at}`).toBe(false);
          expect(await boot(), `cut at ${at}`).toMatchObject({ opened: true });
          expectEncrypted(work);
        }),
      );
  });

  test('loses nothing when the second try is cut as well', async () => {
    const { work, boot } = machine(fileSystem);
    await boot({ at: 6, half: true });
    await boot({ at: 3, half: true });
    expect(await boot()).toMatchObject({ opened: true });
    expectEncrypted(work);
  });
});

describe('nothing is encrypted, and nothing is changed,', () => {
  const refused = async (
    partition: Buffer,
    changes: Readonly<Record<string, string | undefined>>,
    why: RegExp,
  ): Promise<void> => {
    const { work, boot } = machine(partition, changes);
    const before = readFileSync(join(work, 'img'));
    const result = await boot();
    expect(result.opened).toBe(false);
    expect(result.problem).toMatch(why);
    expect(readFileSync(join(work, 'img')).equals(before)).toBe(true);
  };

  test.each<[string, Readonly<Record<string, string | undefined>>, RegExp]>([
    ['without a TPM', { tpm: '/nowhere' }, /this machine has no TPM 2\.0/],
    [
      'without Secure Boot',
      { 'efi/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c': '1234\0' },
      /Secure Boot is off/,
    ],
    [
      'where the firmware measures nothing',
      { 'pcr/11': `${'00'.repeat(32)}\n` },
      /the firmware measures nothing/,
    ],
    ['where something was added to the start', { 'pcr/12': `${'EF'.repeat(32)}\n` }, /\(PCR 12\)/],
    ['without a signature', { signature: undefined }, /no signature of PCR 11/],
    [
      'where a machine has lived on it',
      { 'root/var/lib/slipway/host-id': 'x' },
      /in the clear.*slip state reset/,
    ],
  ])('%s', (_name, changes, why) => refused(fileSystem, changes, why));

  test('where the partition is too small', () => {
    const large = Buffer.from(fileSystem);
    large.writeUInt32LE((8 * MIB) / 4096, 1028);
    return refused(large, {}, /too small to be encrypted: 33 MiB are needed/);
  });

  test('where there is no file system', () => refused(randomBytes(MIB), {}, /holds no file system/));

  test('where a mark of a copy is no whole one', () => {
    const partition = Buffer.alloc(PARTITION_MIB * MIB);
    partition.write(
      `slipway-state-copy-1 ${FILE_SYSTEM_MIB} ${'0'.repeat(64)}\n${'1'.repeat(64)}\n`,
      (PARTITION_MIB - 1) * MIB,
    );
    return refused(partition, {}, /holds no file system/);
  });
});
