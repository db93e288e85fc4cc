/** Keys of one service that contradict each other, or what Slipway can do. */
import type { Path } from './located.ts';
import type { HealthCheck, RestartPolicy } from './machine.ts';
import type { ServiceInput } from './service-schema.ts';

/** Records a fault at a path of the service; `prefer: 'key'` points at the key instead of its value. */
export type Fault = (path: Path, message: string, hint?: string, prefer?: 'value' | 'key') => void;

export interface RuleParts {
  readonly restart: RestartPolicy;
  readonly healthCheck: HealthCheck | undefined;
}

export function checkRules(input: ServiceInput, parts: RuleParts, fault: Fault): void {
  checkGate(input, parts, fault);
  checkOneShot(input, parts, fault);
  checkSysctls(input, fault);
  checkLabels(input, fault);
}

function checkGate(input: ServiceInput, { healthCheck }: RuleParts, fault: Fault): void {
  const { type, gate } = input['x-slipway'];
  const at = ['x-slipway', 'gate'];
  if (type === 'service' && gate && healthCheck === undefined) {
    fault(
      at,
      'nothing checks this gate: the service has no healthcheck',
      'add a healthcheck, or remove `gate: true`',
    );
  }
  if (type === 'onshutdown' && gate) fault(at, 'a service that runs at shutdown cannot gate an update');
}

function checkOneShot(input: ServiceInput, { restart, healthCheck }: RuleParts, fault: Fault): void {
  const { type } = input['x-slipway'];
  if (type === 'service') return;
  if (healthCheck !== undefined) {
    const message = `a service of type ${type} runs once: its exit status tells whether it worked`;
    fault(['healthcheck'], message, undefined, 'key');
  }
  if (restart.policy === 'always' || restart.policy === 'unless-stopped') {
    const message = `a service of type ${type} runs once: '${restart.policy}' would never let it end`;
    fault(
      ['restart'],
      message,
      type === 'onboot' ? "write restart: 'no' or on-failure" : "write restart: 'no'",
    );
  } else if (type === 'onshutdown' && restart.policy === 'on-failure') {
    fault(['restart'], 'a service that runs at shutdown is not tried again', "write restart: 'no'");
  }
}

const NAMESPACED =
  /^(kernel\.(msgmax|msgmnb|msgmni|msg_next_id|sem|sem_next_id|shmall|shmmax|shmmni|shm_next_id|shm_rmid_forced)|fs\.mqueue\.[a-z_]+)$/;

function checkSysctls(input: ServiceInput, fault: Fault): void {
  for (const key of Object.keys(input.sysctls)) {
    const at = ['sysctls', key];
    const shared = (what: string): string =>
      `${key} belongs to the ${what} of the machine, which this service shares`;
    if (key.startsWith('net.')) {
      if (input.network_mode === 'host') {
        fault(at, shared('network'), 'set it in a service of type onboot that writes /proc/sys', 'key');
      }
    } else if (!NAMESPACED.test(key)) {
      const hint = 'only net.*, fs.mqueue.* and the kernel.* of System V IPC are';
      fault(at, `${key} is not a parameter of the container's own namespaces`, hint, 'key');
    } else if (input.ipc === 'host') {
      fault(at, shared('IPC namespace'), undefined, 'key');
    }
  }
}

function checkLabels(input: ServiceInput, fault: Fault): void {
  for (const key of Object.keys(input.labels).filter((name) => name.startsWith('run.oci.'))) {
    fault(
      ['labels', key],
      `labels that begin with run.oci. are the container runtime's own`,
      undefined,
      'key',
    );
  }
}
