/** Reports for whoever runs this machine: JSON lines on a virtio-serial port, where the hypervisor offers it. */
import { REPORT_PORT, type MachineReport } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

export interface Reporter {
  /** Never waits: what cannot be sent now is sent later, or dropped when nobody listens. */
  report(report: MachineReport): void;
}

const QUEUE_LIMIT_BYTES = 256 * 1024;
const RETRY_MS = 250;

export function createReporter(system: System): Reporter {
  let port = -1;
  let queue: Uint8Array[] = [];
  let retrying = false;

  function flush(): void {
    if (port < 0) port = openPort(system);
    while (port >= 0 && queue.length > 0) {
      const written = system.write(port, queue[0]!);
      if (written === 'again' || written === 'failed') break;
      if (written === queue[0]!.length) queue.shift();
      else queue[0] = queue[0]!.subarray(written);
    }
    if (port < 0) queue = [];
    if (queue.length === 0 || retrying) return;
    retrying = true;
    system.after(RETRY_MS, () => {
      retrying = false;
      flush();
    });
  }

  return {
    report(report) {
      const line = system.encode(`${JSON.stringify(report)}\n`);
      const waiting = queue.reduce((sum, bytes) => sum + bytes.length, 0);
      if (waiting + line.length <= QUEUE_LIMIT_BYTES) queue.push(line);
      flush();
    },
  };
}

/** Without udev the port has no name in /dev; its name stands in sysfs. */
function openPort(system: System): number {
  for (const entry of system.list(PATHS.virtioPorts)) {
    if (system.readText(`${PATHS.virtioPorts}/${entry}/name`)?.trim() === REPORT_PORT)
      return system.open(`/dev/${entry}`, { access: 'write', nonBlocking: true });
  }
  return -1;
}
