/** What boot tests of provisioning share: a machine of an image, perhaps with a medium that says what it is to be, asked how that went and started again. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskSource } from '../../../cli/run-input.ts';
import type { Machine } from '../../../lab/machine.ts';
import type { SshAccess } from '../../../lab/ssh.ts';
import type { ConfigStatus } from '../../../spec/provisioning.ts';
import { makeFat, type Files } from '../../host/provision/source/seed-images.ts';
import { buildTestImage, WORK } from '../image.ts';
import {
  HEALTHY_LIMIT_MS,
  healthyMachine,
  ssh,
  sshAccess,
  startTestMachine,
  type TestMachineOptions,
} from '../machine.ts';

/** Most of these tests are in the full run only. */
export const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';

export interface ProvisionedOptions extends Omit<TestMachineOptions, 'disk'> {
  /** Its definition. */
  readonly image: string;
  /** A NoCloud disk, which can be given other files while the machine is down (`give`). */
  readonly cidata?: Files;
}

export interface ProvisionedMachine {
  readonly machine: Machine;
  readonly source: DiskSource;
  /** The image's first operator, as it is reached now. */
  readonly admin: () => SshAccess;
  /** As that one. */
  readonly ssh: (command: string, input?: string) => Promise<string>;
  /** By a shell, as root. */
  readonly root: (command: string) => Promise<string>;
  /** `slip config status --json` */
  readonly status: () => Promise<ConfigStatus>;
  /** The status, once all is done: what waits for the network too. */
  readonly applied: () => Promise<ConfigStatus>;
  readonly accessOf: (user: string) => Promise<SshAccess>;
  /** Writes the NoCloud disk anew; it is looked at as the machine starts. */
  readonly give: (files: Files) => void;
  /** Up to its reset. */
  readonly reset: () => Promise<void>;
  /** Until it is healthy again. */
  readonly restart: () => Promise<void>;
  /** What it is reached by may have changed: its keys, its network. */
  readonly logInAgain: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Healthy, unless `until: 'started'`: what waits for the network may be still to come. */
export async function startProvisioned(
  { image, cidata, ...options }: ProvisionedOptions,
  until: 'healthy' | 'started' = 'healthy',
): Promise<ProvisionedMachine> {
  const source = await buildTestImage(image, [], options.architecture);
  const medium = await mediumPath(`${options.name}-cidata.img`);
  const give = (files: Files): void => void makeFat(medium, 'CIDATA', files);
  if (cidata !== undefined) give(cidata);
  const machine = await startTestMachine({
    disk: source.disk,
    diskSizeBytes: source.machineDiskBytes,
    memoryMiB: 256,
    ...options,
    extraDisks: [
      ...(cidata === undefined
        ? []
        : [{ path: medium, format: 'raw', readOnly: true, serial: 'cidata' } as const]),
      ...(options.extraDisks ?? []),
    ],
  });
  let admin: SshAccess;
  const logInAgain = async (): Promise<void> => void (admin = await sshAccess(machine, source.user));
  const settle = async (): Promise<void> => {
    if (until === 'healthy') admin = (await healthyMachine(machine, source.user)).access;
    else {
      await machine.waitForReport('started', HEALTHY_LIMIT_MS);
      await eventually('SSH answers', () => logInAgain().then(() => true));
    }
  };
  const asAdmin = (command: string, input?: string): Promise<string> => ssh(admin, command, input);
  const status = async (): Promise<ConfigStatus> =>
    JSON.parse(await asAdmin('slip config status --json')) as ConfigStatus;
  const close = async (): Promise<void> => {
    await machine.close();
    await rm(medium, { force: true });
  };
  const reset = async (): Promise<void> => {
    const seen = machine.events.length;
    await asAdmin('slip reboot').catch(() => undefined);
    await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
  };
  try {
    await settle();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    machine,
    source,
    admin: () => admin,
    ssh: asAdmin,
    root: (command) => asAdmin(`slip shell -T -- sh -c '${command.replaceAll("'", `'\\''`)}'`),
    status,
    applied: async () => {
      let last: ConfigStatus | undefined;
      await eventually(
        () => `all is applied: ${JSON.stringify(last)}`,
        async () => (last = await status()).state === 'applied',
      );
      return last!;
    },
    accessOf: (user) => sshAccess(machine, user),
    give,
    reset,
    restart: async () => {
      await reset();
      await settle();
    },
    logInAgain,
    close,
  };
}

/** Where a medium of a test lies. */
export async function mediumPath(name: string): Promise<string> {
  const directory = join(WORK, 'media');
  await mkdir(directory, { recursive: true });
  return join(directory, name);
}

/** Until it holds; a fault counts as not yet. */
export async function eventually(
  what: string | (() => string),
  holds: () => boolean | Promise<boolean>,
  limitMs = HEALTHY_LIMIT_MS,
): Promise<void> {
  const end = Date.now() + limitMs;
  const now = async (): Promise<boolean> => holds();
  while (!(await now().catch(() => false))) {
    if (Date.now() > end)
      throw new Error(`not within ${limitMs / 1000} s: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}
