/** A machine that nobody tells anything, of an image that hears all clouds: what looking costs it, by its own account. In the full run only. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ec2 } from '../../host/provision/source/services/platforms.ts';
import { expectQuietConsole, HEALTHY_LIMIT_MS, slipStatus } from '../machine.ts';
import { serveMetadata, type MetadataServer } from './metadata.ts';
import { eventually, FULL, startProvisioned, type ProvisionedMachine } from './provisioned.ts';

const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
/** The issue's: what a machine without a datasource may lose. */
const LOST_MS = 2_000;

describe.runIf(FULL)('a machine that nobody tells anything', { timeout: LIMIT_MS }, () => {
  let server: MetadataServer;
  let told: ProvisionedMachine;

  beforeAll(async () => {
    // Of no platform that is known, with somebody who would answer, and a CD drive without a disc.
    server = await serveMetadata(ec2(), ['type=1,manufacturer=ACME,product=Server']);
    told = await startProvisioned({
      name: 'nobody',
      image: 'images/minimal.yaml',
      outside: 'closed',
      extraArguments: [...server.arguments, '-device', 'ide-cd,bus=ide.4'],
    });
  }, LIMIT_MS);

  afterAll(async () => {
    await told?.close();
    await server?.close();
  });

  test('looking costs less than two seconds, and services do not wait for drives', async () => {
    const timeline = await told.root('cat /run/slipway/boot/timeline');
    process.stderr.write(`a boot that looks for a datasource and finds none:\n${timeline}\n`);
    const at = (name: string): number => {
      const found = new RegExp(`^([\\d.]+) ${name}$`, 'm').exec(timeline)?.[1];
      if (found === undefined) throw new Error(`the timeline knows no ${name}:\n${timeline}`);
      return 1_000 * Number(found);
    };
    // All that the boot scripts do until services start, mounts and looking included.
    expect(at('provision') - at('sysinit')).toBeLessThan(LOST_MS);
    expect(at('services') - at('sysinit')).toBeLessThan(LOST_MS);
    // The same question again, alone: wait4(2) as busybox has it.
    const look = 'qjs --no-unhandled-rejection -m /usr/lib/slipway/look.js';
    const cost = await told.root(`busybox time -f '%e s, %U s user, %S s system, %M kB' ${look} 2>&1`);
    process.stderr.write(`look.js alone: ${cost}`);
    expect(1_000 * Number.parseFloat(cost)).toBeLessThan(LOST_MS);
  });

  test('nobody on its networks was asked who it is', async () => {
    expect(await told.status()).toMatchObject({ source: null, state: 'none', problems: [], notes: [] });
    expect((await slipStatus(told.admin())).problems).toEqual([]);
    // Beside its services it looks into its drives, once.
    await eventually('it has looked into its drives', async () =>
      (await told.root('ls /var/lib/slipway/provision')).includes('looked'),
    );
    expect(await told.status()).toMatchObject({ source: null, state: 'none' });
    expect(server.requests).toEqual([]);
  });

  test('its console shows no fault of the machine', () => {
    expectQuietConsole(told.machine);
  });
});
