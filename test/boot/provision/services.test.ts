/**
 * A machine whose boot configuration has services: from a registry, from an archive, and from the image itself. In the full run only: what differs from
 * nocloud.test.ts takes no machine but for this.
 */
import { readFile } from 'node:fs/promises';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readLock } from '../../../builder/lock/lock-file.ts';
import { openToolbox } from '../../../builder/tools/toolbox.ts';
import { registryProgram, startRegistry, type Registry } from '../../builder/oci/docker-registry.ts';
import {
  digest,
  dockerArchive,
  testImage,
  type TarMember,
  type TestImage,
} from '../../builder/oci/image-files.ts';
import { expectQuietConsole, HEALTHY_LIMIT_MS, slipStatus } from '../machine.ts';
import { FULL, startProvisioned, type ProvisionedMachine } from './provisioned.ts';

const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;
const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const program = registryProgram();

describe.runIf(FULL && program !== undefined)(
  'services of a boot configuration',
  { timeout: LIMIT_MS },
  () => {
    let registry: Registry;
    let stopped = false;
    let told: ProvisionedMachine;
    let image: TestImage;

    beforeAll(async () => {
      registry = await startRegistry(program ?? '', mkdtempSync(join(tmpdir(), 'slipway-registry-')), 'open');
      image = await busyboxImage();
      await registry.push('apps/web', '1', image);
      told = await startProvisioned({
        name: 'services',
        image: 'test/boot/images/provision.yaml',
        memoryMiB: 320,
        cpus: 2,
        cidata: { 'user-data': fromRegistry(), 'meta-data': 'instance-id: i-1\n' },
      });
    }, LIMIT_MS);

    afterAll(async () => {
      await told?.close();
      if (!stopped) await registry?.stop();
    });

    test('one from a registry is fetched, runs, and is healthy', async () => {
      await running('web', 'healthy');
      expect(await told.ssh('slip shell -T wget -qO- http://127.0.0.1:8080/')).toBe(
        'from the configuration\n',
      );
      // What it writes stays in memory; its image is not touched.
      expect(await told.ssh('slip logs web')).toContain('root file system can be written');
      expect(await told.ssh('slip shell -T ls /var/lib/slipway/images')).toMatch(/^[0-9a-f]{64}\n$/);
    });

    test('what would make it the machine’s master is told with its line before it is applied', async () => {
      await told.ssh('cat >evil', withEvil());
      const said = await told.ssh('slip config validate evil || true');
      expect(said).toMatch(/:16:\d+: error: .*never privileged/);
    });

    test('another configuration, live: one from an archive comes, the one that runs goes on', async () => {
      await registry.stop();
      stopped = true;
      const archive = await dockerArchive(image);
      await told.ssh('slip shell -T mkdir -p /var/lib/app');
      await told.ssh('slip shell -T sh -c "base64 -d >/var/lib/app/image.tar"', archive.toString('base64'));
      const { pid } = await serviceStatus('web');
      await told.ssh('cat >more', fromArchive());
      await told.ssh('slip config apply more');
      await running('worker', 'none');
      expect((await serviceStatus('web')).pid).toBe(pid);
      expect(await told.ssh('slip logs worker')).toContain('uid=33');
    });

    test('started again without the registry and the archive, both run', async () => {
      await told.ssh('slip shell -T rm /var/lib/app/image.tar');
      await told.restart();
      await running('web', 'healthy');
      await running('worker', 'none');
    });

    test('its console shows no fault of the machine', () => {
      expectQuietConsole(told.machine);
    });

    function web(): string {
      const address = registry.host.replace('127.0.0.1', 'http://10.0.2.2');
      return `  web:
    image: ${address}/apps/web@${digest(image.manifest)}
    entrypoint: [sh, -c, 'touch /written && echo root file system can be written; exec httpd -f -p 8080 -h /srv']
    network_mode: host
    stop_grace_period: 1s
    healthcheck: { test: [CMD, wget, -qO-, "http://127.0.0.1:8080/"], interval: 2s }
    volumes: [data:/data]
    x-slipway:
      files: [{ path: /srv/index.html, content: "from the configuration\\n" }]
`;
    }

    function fromRegistry(): string {
      return `#cloud-config\nservices:\n${web()}`;
    }

    function withEvil(): string {
      // Line 16 is the one with `privileged`.
      return `${fromRegistry()}
  evil:
    image: service:network
    command: [/usr/bin/busybox]
    privileged: true
`;
    }

    function fromArchive(): string {
      return `#cloud-config
services:
${web()}
  worker:
    image: /var/lib/app/image.tar
    entrypoint: [sh, -c, 'id; exec sleep 1000000']
    user: "33"
    read_only: true
    stop_grace_period: 1s
`;
    }

    async function serviceStatus(
      name: string,
    ): Promise<{ state: string; health: string; pid: number | null }> {
      const found = (await slipStatus(told.admin())).services.find((service) => service.name === name);
      return found ?? { state: 'missing', health: 'none', pid: null };
    }

    async function running(name: string, health: string): Promise<void> {
      const end = Date.now() + HEALTHY_LIMIT_MS;
      for (;;) {
        const status = await serviceStatus(name);
        if (status.state === 'running' && status.health === health) return;
        if (Date.now() > end) {
          const said = await told.ssh(`slip config status; slip logs ${name}`).catch(String);
          throw new Error(`${name} is ${status.state}, ${status.health}: ${said}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 1_000));
      }
    }
  },
);

/** An image of busybox with what it needs, out of the packages that the tests' machines are made of. */
async function busyboxImage(): Promise<TestImage> {
  const lock = await readLock('images/minimal.lock');
  const packages = lock?.packages.filter(({ name }) => ['busybox', 'libc6'].includes(name)) ?? [];
  const toolbox = await openToolbox(packages);
  const member = async (name: string, from: string): Promise<TarMember> => ({
    name,
    text: await readFile(toolbox.file(from)),
    mode: 0o755,
  });
  const applets = ['sh', 'httpd', 'wget', 'sleep', 'touch', 'id', 'echo'];
  return testImage(
    [
      [
        { name: 'usr/bin/' },
        { name: 'srv/' },
        { name: 'etc/' },
        { name: 'etc/hosts', text: '' },
        { name: 'bin', linkname: 'usr/bin' },
        { name: 'lib64', linkname: 'usr/lib64' },
        await member('usr/bin/busybox', '/usr/bin/busybox'),
        await member('usr/lib64/ld-linux-x86-64.so.2', `${LIBRARIES}/ld-linux-x86-64.so.2`),
        ...(await Promise.all(
          ['libc.so.6', 'libresolv.so.2', 'libm.so.6'].map((name) =>
            member(`${LIBRARIES.slice(1)}/${name}`, `${LIBRARIES}/${name}`),
          ),
        )),
      ],
      applets.map((name): TarMember => ({
        name: `usr/bin/${name}`,
        type: 'link',
        linkname: 'usr/bin/busybox',
      })),
    ],
    { config: { Env: ['PATH=/usr/bin'] } },
  );
}
