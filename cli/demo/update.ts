/** `slipway demo update`: an update's life, for real: real builds, a real repository, a real boot under Secure Boot. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { initKeys } from '../../builder/keys/init.ts';
import { loadKeys } from '../../builder/keys/load.ts';
import type { Progress } from '../../builder/progress.ts';
import { chooseAccelerator } from '../../lab/accelerator.ts';
import { startSession, type Session } from '../../lab/session.ts';
import { ssh, type SshAccess } from '../../lab/ssh.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { SlipwayError } from '../../spec/error.ts';
import type { MachineStatus } from '../../spec/machine.ts';
import { INSTANT } from '../../updater/release/curve.ts';
import { initTufKeys } from '../../updater/repository/keys/init.ts';
import { loadTufKeys } from '../../updater/repository/keys/load.ts';
import { addReleases, KEEP_DELTAS } from '../../updater/repository/release/add.ts';
import { readBuild } from '../../updater/repository/release/build.ts';
import { payloadTools } from '../../updater/repository/release/payload-tools.ts';
import { payloadToolbox } from '../../updater/repository/release/toolbox.ts';
import { initRepository } from '../../updater/repository/repository/init.ts';
import { DEFAULT_SETTINGS } from '../../updater/repository/repository/settings.ts';
import { serveRepository } from '../../updater/repository/serve/serve.ts';
import { bytesText } from '../bytes-text.ts';
import { terminalProgress } from '../progress.ts';
import { serviceTable } from '../service-table.ts';
import { commentary, type Commentary } from './commentary.ts';
import { buildDemoVersion, VERSIONS, type DemoVersion } from './versions.ts';

const HEALTHY_LIMIT_MS = 240_000;
const POWER_OFF_LIMIT_MS = 30_000;
/** The workstation's loopback, from inside QEMU's user network. */
const GUEST_VIEW_OF_LOOPBACK = '10.0.2.2';

interface Stage {
  readonly voice: Commentary;
  readonly session: Session;
  readonly access: SshAccess;
}

/** Everything goes into `directory`. Throws when the machine does not do what is told. */
export async function demonstrateUpdate(directory: string): Promise<void> {
  const voice = commentary();
  const progress = terminalProgress();
  const repository = join(directory, 'repository');
  const keys = join(directory, 'keys');
  await mkdir(directory, { recursive: true });

  voice.chapter('Keys', 'One set for Secure Boot, one for updates. Production keeps most of them offline.');
  if (!existsSync(keys)) await initKeys(keys);
  await initTufKeys(keys);

  voice.chapter(
    'Three versions',
    'One YAML file each; system services are containers in a signed, read-only root.',
  );
  const [first, second, bad] = await buildAll(directory, voice, progress);

  voice.chapter(
    'A repository',
    'Static files that any web server, store or stick can hold. Signatures protect, not the server.',
  );
  await rm(repository, { recursive: true, force: true });
  await initRepository(repository, await loadTufKeys(keys), DEFAULT_SETTINGS);
  await publish({ repository, keys, voice }, [first, second]);
  let tampered = false;
  const server = await serveRepository(repository, {
    faults: (path) => (tampered && path.endsWith('.payload') ? { flipByteAt: 64 } : undefined),
  });

  const session = await boot(directory, keys, first);
  try {
    voice.chapter(
      'A machine',
      `Secure Boot is on, and trusts our keys alone. Its console: ${relative('.', session.machine.consolePath)}`,
    );
    const { status } = await session.healthy(HEALTHY_LIMIT_MS);
    const access = await session.access(first.user);
    const stage = { voice, session, access };
    voice.quote(`${serviceTable(status)}\n`);
    voice.say(`It runs ${status.image.version} from slot ${status.slot}.`);
    await onMachine(stage, `slip update config url http://${GUEST_VIEW_OF_LOOPBACK}:${server.port}`);

    voice.chapter('What is there, and what it costs', 'Before anything is fetched.');
    await onMachine(stage, 'slip update check');

    voice.chapter('A server that lies', 'One bit of each payload is changed on its way.');
    tampered = true;
    await refused(stage, 'slip update apply');
    tampered = false;
    voice.say('Nothing of it came to where it could boot. The machine runs on.');

    voice.chapter(
      '1.0.0 to 1.1.0',
      'The delta goes to the other slot, is checked against the signed root hash, gets a new UKI with three tries, and the machine restarts.',
    );
    const updated = await restarting(stage, 'slip update apply');
    expectVersion(updated, second);
    voice.say(
      `It started ${updated.image.version} from slot ${updated.slot}, found every gate healthy, and keeps it.`,
    );
    await onMachine(stage, 'slip update status');

    voice.chapter('A bad version', `1.2.0: ${VERSIONS['1.2.0'].what}.`);
    await publish({ repository, keys, voice }, [bad]);
    const returned = await restarting(stage, 'slip update apply', bad);
    expectVersion(returned, second);
    voice.say(`It is back on ${returned.image.version} by itself, remembers why, and does not try again:`);
    await onMachine(stage, 'slip update status');
    await onMachine(stage, 'slip update apply');

    voice.chapter('What is remembered', 'On the machine, and by whoever asks it over SSH.');
    await onMachine(stage, 'slip update history');
    voice.say(
      `\nAll that was shown lies in ${relative('.', directory)}. Try it by hand: slipway repo serve ${relative('.', repository)}`,
    );
    await session.end(access, POWER_OFF_LIMIT_MS);
  } finally {
    await session.machine.close();
    await server.close();
  }
}

async function buildAll(
  directory: string,
  voice: Commentary,
  progress: Progress,
): Promise<[DemoVersion, DemoVersion, DemoVersion]> {
  const built: DemoVersion[] = [];
  for (const [version, { what }] of Object.entries(VERSIONS)) {
    voice.say(`${version}: ${what}`);
    built.push(await buildDemoVersion(directory, version as keyof typeof VERSIONS, progress));
  }
  return built as [DemoVersion, DemoVersion, DemoVersion];
}

async function publish(
  to: { readonly repository: string; readonly keys: string; readonly voice: Commentary },
  versions: readonly DemoVersion[],
): Promise<void> {
  const { sets } = await loadKeys(to.keys);
  const authorities = { release: sets.release.db.certificate, debug: sets.debug.db.certificate };
  const builds = [];
  for (const { directory } of versions) builds.push(await readBuild(directory, authorities));
  await addReleases(to.repository, builds, await loadTufKeys(to.keys), {
    channels: ['stable'],
    keep: KEEP_DELTAS,
    from: [],
    curve: INSTANT,
    barriers: [],
    notes: `What is new in ${versions.map(({ version }) => version).join(' and ')}.`,
    withoutBrake: 'follow',
    // For a demo, quick ones.
    tools: payloadTools(await payloadToolbox(to.repository, builds[0]?.tools), { fullLevel: 3 }),
    report: ({ release, kind, from, sizeBytes, fullBytes }) => {
      const what = `${release} ${kind === 'root' ? 'root' : 'UKI'}`;
      to.voice.say(
        from === undefined
          ? `  ${what}: ${bytesText(fullBytes)}`
          : `  ${what} from ${from}: ${sizeBytes === undefined ? 'no smaller than the full one' : bytesText(sizeBytes)}`,
      );
    },
  });
}

async function boot(directory: string, keys: string, version: DemoVersion): Promise<Session> {
  const toolbox = await labToolbox();
  const { pk, kek, db } = (await loadKeys(keys)).sets.release;
  const place = join(directory, 'machine');
  await rm(place, { recursive: true, force: true });
  return startSession({
    disk: version.disk,
    directory: place,
    writes: 'keep',
    diskSizeBytes: version.machineDiskBytes,
    secureBoot: { PK: pk.esl, KEK: kek.esl, db: db.esl },
    accelerator: await chooseAccelerator('auto', toolbox),
    toolbox,
  });
}

async function onMachine({ voice, access }: Stage, command: string): Promise<void> {
  voice.command(command);
  await ssh(access, command, { timeoutMs: HEALTHY_LIMIT_MS, onOutput: voice.quote });
}

async function refused(stage: Stage, command: string): Promise<void> {
  const failed = await onMachine(stage, command).then(
    () => false,
    () => true,
  );
  if (!failed)
    throw new SlipwayError(
      'demo.not-refused',
      `\`${command}\` took what was changed on its way: please report this`,
    );
}

/** A command that ends in a restart; `through`: a version that the machine first starts, and then leaves by itself. */
async function restarting(stage: Stage, command: string, through?: DemoVersion): Promise<MachineStatus> {
  const { machine } = stage.session;
  let seen = machine.events.length;
  // The connection ends with the machine.
  await onMachine(stage, command).catch((error: unknown) => {
    if (!/exit code 255/.test(String(error))) throw error;
  });
  await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
  if (through !== undefined) {
    stage.voice.say(`It starts ${through.version}: on trial.`);
    seen = machine.events.length;
    await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
    stage.voice.say('It gives it up, and restarts.');
  }
  return (await machine.waitForReport('healthy', HEALTHY_LIMIT_MS)).status;
}

function expectVersion({ image }: MachineStatus, { version }: DemoVersion): void {
  if (image.version === version) return;
  throw new SlipwayError(
    'demo.unexpected',
    `the machine runs ${image.version}, where ${version} was expected`,
    {
      hint: 'its console tells more',
    },
  );
}
