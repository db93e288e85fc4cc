/**
 * A machine of a platform with a metadata service (EC2, with tokens), and its updates: one that refuses what the configuration needs goes back; one that
 * is tried while that service is away stays. In the full run only: the boots take minutes.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigStatus } from '../../../spec/provisioning.ts';
import { ec2, KEY } from '../../host/provision/source/services/platforms.ts';
import { HEALTHY_LIMIT_MS, ssh } from '../machine.ts';
import { startUpdatingMachine, type UpdatingMachine } from '../update/machine.ts';
import { openTestRepository, type TestRepository } from '../update/repository.ts';
import { applyUntilReset, remembered, runsAgain } from '../update/returning.ts';
import { buildVersion, type BuiltVersion } from '../update/versions.ts';
import { serveMetadata, type MetadataServer } from './metadata.ts';

const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 6 * HEALTHY_LIMIT_MS;
const USER_DATA = `#cloud-config
hostname: from-ec2
write_files:
  - { path: /var/data/told, content: by the platform }
`;

describe.runIf(FULL)('a machine of EC2, and its updates', { timeout: LIMIT_MS }, () => {
  let server: MetadataServer;
  let repository: TestRepository;
  let machine: UpdatingMachine;
  let good: BuiltVersion;

  beforeAll(async () => {
    const first = await buildVersion('5.0.0');
    good = await buildVersion('5.2.0');
    repository = await openTestRepository('provision');
    server = await serveMetadata(ec2({ userData: USER_DATA }), [
      'type=1,manufacturer=Amazon EC2,product=t3.small,uuid=ec2f58af-d2e2-4d7f-9d65-c0f1d3d1c4ab',
    ]);
    machine = await startUpdatingMachine('provision-update', first, repository, {
      extraArguments: [...server.arguments],
    });
  }, LIMIT_MS);

  afterAll(async () => {
    await machine?.close();
    await repository?.close();
    await server?.close();
  });

  test('it is what the platform told it, and asked with a token alone', async () => {
    await expect
      .poll(() => configStatus(), { timeout: HEALTHY_LIMIT_MS, interval: 2_000 })
      .toMatchObject({ source: 'ec2', state: 'applied', problems: [] });
    expect(server.requests[0]).toBe('PUT /latest/api/token 200');
    expect(server.requests.filter((request) => request.endsWith('401'))).toEqual([]);
    await isAsTold();
    expect(await machine.root('cat /run/slipway/provision/machine.json')).toContain(KEY);
  });

  test('a version that lets the platform write no files: back at once, with the line that would allow it', async () => {
    await repository.publish(await buildVersion('5.1.0', 'policy'));
    await applyUntilReset(machine, LIMIT_MS);
    expect(await runsAgain(machine, '5.0.0', LIMIT_MS)).toMatchObject({ slot: 'a', problems: [] });
    const { reason } = await remembered(machine, '5.1.0', HEALTHY_LIMIT_MS);
    expect(reason).toMatch(
      /^provisioning: user-data:4: write_files: refused: .*ec2: \[users, network, files\]/,
    );
    await isAsTold();
  });

  test('a good one, while the metadata service is away: it stays, and is what it was', async () => {
    server.silence();
    await repository.publish(good);
    await applyUntilReset(machine, LIMIT_MS);
    expect(await runsAgain(machine, '5.2.0', LIMIT_MS)).toMatchObject({ slot: 'b', problems: [] });
    expect(await machine.update('status')).toMatchObject({ state: 'idle', committed: { version: '5.2.0' } });
    const status = await configStatus();
    expect(status).toMatchObject({ source: 'ec2', state: 'applied', problems: [] });
    // Before the second card has its address, somebody beyond the first may refuse in its place: no server's answer counts against a version.
    expect(status?.notes.join('\n')).toMatch(
      /^http:\/\/169\.254\.169\.254.* (did not answer in time|answered 403)/,
    );
    await isAsTold();
  });

  async function isAsTold(): Promise<void> {
    expect(await ssh(machine.access, 'hostname')).toBe('from-ec2\n');
    expect(await machine.root('cat /var/data/told')).toBe('by the platform');
  }

  async function configStatus(): Promise<ConfigStatus | undefined> {
    const said = await ssh(machine.access, 'slip config status --json').catch(() => undefined);
    return said === undefined ? undefined : (JSON.parse(said) as ConfigStatus);
  }
});
