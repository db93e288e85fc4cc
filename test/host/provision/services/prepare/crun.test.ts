/** A bundle that QuickJS made from an archive, started as slipd starts it: overlay, then the machine's own crun. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { overlayScript } from '../../../../../host/slipd/monitor.ts';
import { openCrun } from '../../../../builder/oci/crun.ts';
import { dockerArchive, testImage, type TarMember } from '../../../../builder/oci/image-files.ts';
import { servicesProgram } from '../quickjs.ts';
import { request } from '../scratch.ts';

const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const crun = await openCrun();
if (typeof crun === 'string') process.stdout.write(`skipped: ${crun}\n`);

describe.skipIf(typeof crun === 'string' || process.arch !== 'x64')('with the machine’s own crun', () => {
  if (typeof crun === 'string') return;
  const member = (name: string, from: string): TarMember => ({
    name,
    text: readFileSync(crun.file(from)),
    mode: 0o755,
  });
  const layer: readonly TarMember[] = [
    member('usr/bin/busybox', '/usr/bin/busybox'),
    member('lib64/ld-linux-x86-64.so.2', `${LIBRARIES}/ld-linux-x86-64.so.2`),
    ...['libc.so.6', 'libresolv.so.2', 'libm.so.6'].map((name) =>
      member(`lib64/${name}`, `${LIBRARIES}/${name}`),
    ),
    ...['sh', 'cat', 'id', 'ls', 'stat'].map((name): TarMember => ({
      name: `usr/bin/${name}`,
      type: 'link',
      linkname: 'usr/bin/busybox',
    })),
    { name: 'bin', linkname: 'usr/bin' },
    { name: 'etc/passwd', text: 'root:x:0:0::/root:/bin/sh\nwww:x:33:34::/srv:/bin/sh\n' },
    { name: 'srv/', mode: 0o700, uid: 33, gid: 34 },
  ];

  test.each([false, true])('read_only: %s', async (readOnly) => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-crun-services-'));
    const archive = join(folder, 'image.tar');
    writeFileSync(
      archive,
      await dockerArchive(
        await testImage([layer], { config: { Env: ['PATH=/usr/bin', 'LD_LIBRARY_PATH=/lib64'] } }),
      ),
    );
    const program = await servicesProgram();
    const script =
      "id; cat /etc/app.conf; stat -c '%a %u:%g' /srv /etc/app.conf; ls -d /srv/data; (echo x >/written && echo writable) || echo read-only";
    const input = program.input(
      request(`web:
  image: /var/lib/app/image.tar
  command: [sh, -c, "${script}"]
  network_mode: host
  read_only: ${String(readOnly)}
  volumes: [data:/srv/data]
  x-slipway: { files: [{ path: /etc/app.conf, content: "mine\\n", mode: '0640', gid: 34 }] }`),
    );
    const overlay = overlayScript({
      ...MACHINE_SERVICE,
      writable: !readOnly,
      bundle: '$bundle',
    });
    const steps = [
      'set -e',
      'mount --make-rprivate /',
      '[ -e /sys/fs/cgroup/cgroup.controllers ] || mount -t cgroup2 none /sys/fs/cgroup',
      'mount -t tmpfs none /run; mount -t tmpfs none /var/lib',
      `mkdir -p /run/etc /var/lib/app /var/lib/slipway/volumes/data; cp ${archive} /var/lib/app/image.tar`,
      `${[...program.qjs, '--no-unhandled-rejection', '-m', program.file, input].join(' ')} >/run/result`,
      'bundle=$(sed -n \'s/.*"bundle":"\\([^"]*\\)".*/\\1/p\' /run/result)',
      '[ -n "$bundle" ] || { cat /run/result; exit 1; }',
      // As in slipd's script, where a command may fail.
      'set +e',
      // A second time as slipd's script runs at each start: the overlay is there already.
      overlay.replaceAll("'", '"'),
      overlay.replaceAll("'", '"').replace('|| {', '|| { echo mounted twice;'),
      `exec timeout 60 ${crun.command('crun').join(' ')} run --bundle $bundle slipway-services-${process.pid}`,
    ];
    const { status, stdout, stderr } = spawnSync('unshare', ['--mount', 'sh', '-c', steps.join('\n')], {
      encoding: 'utf8',
    });
    expect(stderr.replace(/^services: .*\n|.*Read-only file system\n/gm, '')).toBe('');
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^uid=0/),
      'mine',
      '700 33:34',
      '640 0:34',
      '/srv/data',
      readOnly ? 'read-only' : 'writable',
      '',
    ]);
    expect(status).toBe(0);
  });
});

const MACHINE_SERVICE = {
  name: 'web',
  type: 'service',
  gate: false,
  dependsOn: [],
  restart: { policy: 'no' },
  stopSignal: 'SIGTERM',
  stopGraceMs: 1000,
  directories: [],
} as const;
