/** The shell around plan/: gathers what happened, asks what to do, does it, remembers it, sleeps until the next thing. */
import { signalNumber } from '../../system/signals.ts';
import type { System } from '../../system/system.ts';
import { writeAccounts } from './accounts.ts';
import { adopt, loadMemory, withUpdater } from './adoption.ts';
import { endLeftovers } from './control/leftovers.ts';
import { controlDirectories, serveControl } from './control/server.ts';
import { settled, type Settled } from './control/settled.ts';
import { prepareDirectories } from './directories.ts';
import { bootProblems, isTrial, readFacts } from './facts.ts';
import { createFollower } from './follow.ts';
import { watchKernelLog } from './kernel-log.ts';
import {
  endMonitor,
  startHasNews,
  killRun,
  monitorFacts,
  signalRun,
  startMonitors,
  startRun,
} from './monitor.ts';
import { PATHS } from './paths.ts';
import { hear } from './plan/events.ts';
import { badGates, BOOT_DEADLINE_MS } from './plan/gates.ts';
import { checkOverdue } from './plan/health.ts';
import type { Action, Event, Memory, PowerAction } from './plan/memory.ts';
import { observe } from './plan/observe.ts';
import { plan } from './plan/plan.ts';
import { machineStatus } from './plan/status.ts';
import { transition } from './plan/transition.ts';
import { finishShutdown, requestedShutdown } from './power.ts';
import { probe } from './probe.ts';
import { createProvisioner } from './provision.ts';
import { provisionedVersion, readMachine } from './provisioned.ts';
import { createReporter } from './report.ts';
import { checkUpdateGate, leaveTrial, readUpdate, startSwitch } from './update.ts';
import { openWatchdog, PET_INTERVAL_MS } from './watchdog.ts';

/** How often to look for a container that is being started: one stat. */
const START_POLL_MS = 15;
const KERNEL_LOG_DELAY_MS = 3_000;
/** How long an operator waits for a service to start or stop. */
const SETTLE_LIMIT_MS = 150_000;
/** Monitors are looked after this often, even when nothing else is due. */
const LONGEST_SLEEP_MS = 5_000;

export function runDaemon(system: System): void {
  let version = provisionedVersion(system);
  let target = readMachine(system);
  let description = target;
  let moving = false;
  let leaving: ReadonlySet<string> = new Set();
  const reporter = createReporter(system);
  const watchdog = openWatchdog(system);
  const follower = createFollower(system);
  const provisioner = createProvisioner(system, soon);
  system.writeText(PATHS.pidFile, `${system.pid}\n`);

  let memory: Memory = withUpdater(system, loadMemory(system, description));
  let saved = '';
  let ready = false;
  let cancelSleep: () => void = () => undefined;
  let cancelPoll: () => void = () => undefined;
  let nextPetMs = 0;
  const trial = isTrial(system);
  const waiters: Settled[] = [];
  const silentSinceMs = new Map<string, number>();

  const status = () => {
    const facts = readFacts(system, description, watchdog.kind);
    const update = readUpdate(system, memory.update);
    return machineStatus(
      description,
      memory,
      { ...facts, ...(update === undefined ? {} : { update }) },
      system.uptimeMs(),
    );
  };
  const tell = (event: Event): void => {
    memory = hear(description, memory, event, system.uptimeMs());
  };

  /** One turn: hear, judge, act, remember, sleep. */
  function turn(): void {
    cancelSleep();
    if (!ready) return;
    try {
      turnOnce();
    } catch (error) {
      // A full /run, most likely. The services do not need slipd to go on running.
      system.log(`slipd: ${String(error)}`);
      cancelSleep = system.after(LONGEST_SLEEP_MS, turn);
    }
  }

  function turnOnce(): void {
    look();
    follow();
    memory = { ...memory, problems: bootProblems(system) };
    const provisioning = provisioner.busy() ? 'under way' : 'settled';
    if (memory.update !== null) memory = { ...memory, update: { ...memory.update, provisioning } };
    let nowMs = system.uptimeMs();
    const planned = plan(description, memory, nowMs);
    memory = planned.memory;
    // Remembered before it is done: what was begun twice shows as such, what was forgotten never shows.
    save();
    for (const action of planned.actions) act(action);
    nowMs = system.uptimeMs();
    petWatchdog(nowMs);
    answerWaiters(nowMs);
    const { update, shutdown } = memory;
    follower.tick(shutdown === null && (update?.phase === 'committed' || update?.phase === 'kept'));
    const provisionMs = shutdown === null ? provisioner.tick(networkIsUp()) : Infinity;
    const wakeAtMs = Math.min(planned.wakeAtMs, provisionMs);
    const sleepMs = Math.min(Math.max(0, wakeAtMs - nowMs), LONGEST_SLEEP_MS);
    cancelSleep = system.after(sleepMs, turn);
    pollStarting();
  }

  /** crun tells nobody that a container runs: its pid file does. */
  function pollStarting(): void {
    cancelPoll();
    const starting = description.services.filter(({ name }) => memory.services[name]?.phase === 'starting');
    if (starting.length === 0) return;
    cancelPoll = system.after(START_POLL_MS, () =>
      starting.some(({ name }) => startHasNews(system, name, memory.services[name]!.run))
        ? turn()
        : pollStarting(),
    );
  }

  /** What the monitors have to say. */
  function look(): void {
    for (const service of description.services) {
      const { name } = service;
      const own = memory.services[name];
      if (own === undefined || own.phase === 'down') continue;
      const nowMs = system.uptimeMs();
      const seen = observe(name, own, monitorFacts(system, name), silentSinceMs.get(name) ?? null, nowMs);
      if (seen.silentSinceMs === null) silentSinceMs.delete(name);
      else silentSinceMs.set(name, seen.silentSinceMs);
      seen.events.forEach(tell);
      if (seen.remedy === 'start') startRun(system, name, own.run);
      if (seen.remedy !== 'revive') continue;
      // Somebody killed runsv. Its container has lost its voice: it goes too, and both come anew.
      killRun(system, name);
      startMonitors(system, [service], soon);
      tell({ kind: 'exited', service: name, run: own.run, code: 137, atMs: nowMs });
    }
  }

  /** Provisioning has changed what this machine is: accounts at once, services as they come down. */
  function follow(): void {
    if (memory.shutdown !== null) return;
    const now = provisionedVersion(system);
    if (now !== version) {
      version = now;
      target = readMachine(system);
      const { homes } = writeAccounts(system, target);
      prepareDirectories(
        system,
        [...homes, ...target.services.flatMap(({ directories }) => directories)],
        () => {
          moving = true;
          soon();
        },
      );
    }
    if (!moving) return;
    const moved = transition(description.services, target, memory, leaving, system.uptimeMs());
    memory = moved.memory;
    leaving = moved.leaving;
    description = { ...target, services: moved.services };
    moving = leaving.size > 0;
    for (const name of moved.gone) endMonitor(system, name);
    if (moved.prepare.length > 0) startMonitors(system, moved.prepare, soon);
  }

  /** As far as its own service can tell; an image without one has nothing to wait for. */
  function networkIsUp(): boolean {
    const service = description.services.find(({ name }) => name === 'network');
    const own = memory.services['network'];
    if (service === undefined || own === undefined) return true;
    return own.phase === 'up' && (service.healthCheck === undefined || own.health.state === 'healthy');
  }

  function act(action: Action): void {
    switch (action.kind) {
      case 'start':
        // When the monitor is not ready yet, look() tries again.
        startRun(system, action.service, action.run);
        return;
      case 'signal':
        signalRun(system, action.service, signalNumber(action.signal) ?? 15);
        return;
      case 'kill':
        killRun(system, action.service);
        return;
      case 'probe': {
        const check = description.services.find((service) => service.name === action.service)?.healthCheck;
        if (check === undefined) return;
        probe(system, action.service, check, (ok, detail) => {
          tell({ kind: 'probed', service: action.service, run: action.run, ok, detail });
          turn();
        });
        return;
      }
      case 'report':
        reporter.report({ event: action.event, uptimeMs: Math.round(system.uptimeMs()), status: status() });
        return;
      case 'power':
        for (const service of description.services) endMonitor(system, service.name);
        leaveTrial(system, memory.update, () => finishShutdown(system, action.action, description, reporter));
        return;
      case 'update-gate':
        checkUpdateGate(system, action.gate, (ok, detail) => {
          tell({ kind: 'gate-checked', gate: action.gate, ok, detail });
          turn();
        });
        return;
      case 'switch': {
        const [bad] = badGates(description, memory, system.uptimeMs());
        startSwitch(system, action.command, action.reason, bad, (code, detail) => {
          if (code !== 0) system.log(`slipd: switch.js ${action.command}: ${detail} (${code})`);
          tell({ kind: 'switched', code, detail });
          if (memory.update?.phase === 'giving-up') return shutDown('reboot');
          turn();
        });
        return;
      }
    }
  }

  function petWatchdog(nowMs: number): void {
    if (nowMs < nextPetMs) return;
    const stuck = description.services.some((service) => {
      const own = memory.services[service.name];
      return (
        own?.phase === 'up' &&
        service.healthCheck !== undefined &&
        checkOverdue(own.health, service.healthCheck, nowMs)
      );
    });
    // A version on trial that is not good by the deadline is given up: the machine restarts into the other one.
    const late = nowMs >= memory.boot.sinceMs + BOOT_DEADLINE_MS;
    // Unless there is no other one: then somebody must be able to look at it.
    const given = trial && late && memory.boot.verdict !== 'healthy' && memory.update?.phase !== 'kept';
    if (stuck || given) return;
    watchdog.pet();
    nextPetMs = nowMs + PET_INTERVAL_MS;
  }

  function save(): void {
    const text = JSON.stringify(memory);
    if (text === saved) return;
    system.writeText(PATHS.memory, text);
    saved = text;
  }

  function shutDown(action: PowerAction): void {
    if (memory.shutdown === null) system.writeText(PATHS.shutdown, `${action}\n`);
    tell({ kind: 'shutdown', action });
    turn();
  }

  /** After the present call. */
  function soon(): void {
    cancelSleep();
    cancelSleep = system.after(0, turn);
  }

  function whenSettled(service: string, wanted: 'running' | 'stopped', done: Settled['done']): void {
    const limitMs = system.uptimeMs() + SETTLE_LIMIT_MS;
    waiters.push({ service, wanted, limitMs, fromRun: memory.services[service]?.run ?? 0, done });
    soon();
  }

  function answerWaiters(nowMs: number): void {
    for (const waiter of [...waiters]) {
      const answer = settled(description, memory, waiter, nowMs);
      if (answer === undefined) continue;
      waiters.splice(waiters.indexOf(waiter), 1);
      waiter.done(answer.ok, answer.message);
    }
  }

  function listen(): void {
    const wake = system.open(PATHS.wake, { access: 'read-write', nonBlocking: true });
    if (wake < 0) throw new Error(`cannot open ${PATHS.wake}`);
    system.onReadable(wake, () => {
      system.read(wake, 4096);
      turn();
    });
    // When all is down there is nothing left to do; init, or its script, waits for us.
    system.onSignal('SIGTERM', () =>
      memory.shutdown?.finished === true ? system.exit(0) : shutDown(requestedShutdown(system) ?? 'external'),
    );
  }

  function listenToKernel(): void {
    watchKernelLog(system, ({ service, atMs }) => {
      // Older than what is remembered: told before, to an earlier slipd.
      if (atMs <= (memory.services[service]?.lastOutOfMemoryMs ?? -1)) return;
      tell({ kind: 'out-of-memory', service, atMs });
      soon();
    });
  }

  // SIGPIPE comes when a client goes while it is written to. Handlers, since what is ignored stays ignored in every container.
  for (const name of ['SIGPIPE', 'SIGHUP', 'SIGINT', 'SIGQUIT'] as const)
    system.onSignal(name, () => undefined);
  const accounts = writeAccounts(system, description);
  const directories = [
    ...controlDirectories(accounts.operatorsGid),
    ...accounts.homes,
    ...description.services.flatMap((service) => service.directories),
  ];
  let waiting = 2;
  const oneReady = (): void => {
    if (--waiting > 0) return;
    ready = true;
    listen();
    memory = adopt(system, description, memory);
    // A shutdown whose last step nobody saw is finished once more.
    if (memory.shutdown !== null) memory = { ...memory, shutdown: { ...memory.shutdown, finished: false } };
    const asked = requestedShutdown(system);
    if (asked !== undefined) tell({ kind: 'shutdown', action: asked });
    turn();
    endLeftovers(system);
    // Not while the machine boots: the log of a boot is long, and kills are remembered by it.
    system.after(KERNEL_LOG_DELAY_MS, listenToKernel);
    serveControl(
      system,
      {
        description: () => description,
        status,
        tell: (event) => (tell(event), soon()),
        whenSettled,
        shutDown,
      },
      accounts.operatorsGid,
    );
  };
  // Of a service that was to go when an earlier slipd was killed.
  const known = new Set(description.services.map(({ name }) => name));
  for (const name of system.list(PATHS.services).filter((other) => !known.has(other))) {
    killRun(system, name);
    endMonitor(system, name);
  }
  startMonitors(system, description.services, oneReady);
  prepareDirectories(system, directories, oneReady);
}
