/** The same code on the machine's own QuickJS: the same bundles byte for byte, in bounded memory. */
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dockerArchive, testImage, type TarMember } from '../../../../builder/oci/image-files.ts';
import { servicesProgram } from '../quickjs.ts';
import { request, scratch } from '../scratch.ts';

const VAR = `/var/tmp/slipway-services-${process.pid}`;
const program = await servicesProgram();

const YAML = (path: string): string => `web:
  image: ${path}
  network_mode: host
  environment: { A: "ü", B: 'x y' }
  ulimits: { nofile: -1 }
  cap_add: [NET_RAW]
  mem_limit: 64m
  volumes: [data:/data, /var/x:/x:ro]
  tmpfs: /tmp:size=8m
  healthcheck: { test: [CMD, webd, --check] }
  x-slipway:
    state: [/srv/state]
    files: [{ path: /etc/app.conf, content: "é\\n", mode: '0600' }]
b:
  image: service:ssh
  command: [tool]
  depends_on: { web: { condition: service_healthy } }
c:
  image: nonsense
`;

function members(count: number): readonly TarMember[] {
  return [
    { name: 'usr/bin/webd', text: '#!', mode: 0o755 },
    { name: 'etc/passwd', text: 'root:x:0:0::/root:/bin/sh\nwww:x:33:34::/srv:/bin/sh\n' },
    ...Array.from({ length: count }, (_, index) => ({
      name: `usr/share/d${index % 50}/file-${index}`,
      text: `${index}`,
    })),
  ];
}

async function archive(name: string, count: number): Promise<string> {
  mkdirSync(VAR, { recursive: true });
  const config = { Entrypoint: ['webd'], Env: ['PATH=/usr/bin'], User: 'www' };
  writeFileSync(join(VAR, name), await dockerArchive(await testImage([members(count)], { config })));
  return join(VAR, name);
}

describe.skipIf(process.getuid?.() !== 0)('services.js', () => {
  test('the same as on Node, byte for byte', async () => {
    const s = scratch();
    const yaml = YAML(await archive('a.tar', 20));
    const node = await s.prepare(yaml);
    const configs = node.services.map(({ bundle }) => readFileSync(join(bundle, 'config.json'), 'utf8'));
    for (const path of [s.paths.images, s.paths.bundles]) rmSync(path, { recursive: true });
    const { result } = await program.run(request(yaml), s.paths);
    expect(result).toEqual(node);
    expect(result.services).toHaveLength(2);
    expect(result.diagnostics).toHaveLength(1);
    expect(result.services.map(({ bundle }) => readFileSync(join(bundle, 'config.json'), 'utf8'))).toEqual(
      configs,
    );
    // And nothing is done twice, whoever did it first.
    expect((await s.prepare(yaml)).services).toEqual(result.services);
    expect(s.log.filter((line) => line.includes('unpacking'))).toHaveLength(1);
  });

  test('in less than 16 MB, however large the image', async () => {
    const s = scratch();
    const started = Date.now();
    const { result, peakKib } = await program.run(request(YAML(await archive('b.tar', 10_000))), s.paths);
    const size = statSync(program.file).size;
    process.stdout.write(
      `services.js: ${size} bytes, ${peakKib} KiB at most, 10000 files in ${Date.now() - started} ms\n`,
    );
    expect(result.services).toHaveLength(2);
    expect(peakKib).toBeLessThan(16 * 1024);
  });
});
