/**
 * Drivers of storage that the machine did not need to reach its own disk: a q35 machine has an AHCI controller, and its CD drive with provisioning data
 * hangs on that. Loaded only where nothing was found without them: checking a module's signature costs 30 ms where machines are emulated.
 */
import { runProgram } from '../../../../system/program.ts';
import type { System } from '../../../../system/system.ts';
import { blockDevices } from './devices.ts';

const BUSES = ['pci', 'virtio', 'vmbus', 'xen', 'scsi'];
/** Controllers of storage (PCI class 01) and USB (0c03), virtio's disk and SCSI, Hyper-V's SCSI and IDE; SCSI disks and CD drives on them. */
const STORAGE =
  /^(?:pci:.*bc01|pci:.*bc0Csc03|virtio:d0000000[28]v|vmbus:(?:d96361baa104294db60572e2ffb1dc7f|32264132cb86a2445c7b4c1af3d4)|xen:vbd|scsi:t-0x0[05])/;
/** A controller asks its ports after its driver has started, and a CD drive what is in it. */
const SETTLE_MS = 1500;
const STEP_MS = 50;

/** False when there was nothing to load. Waits until new devices appear, 1.5 s at most. */
export async function loadStorageDrivers(system: System): Promise<boolean> {
  const before = blockDevices(system).length;
  if (!(await loadMissing(system, new Set()))) return false;
  const tried = new Set<string>();
  const endMs = system.uptimeMs() + SETTLE_MS;
  while (system.uptimeMs() < endMs) {
    // CD drives and disks announce themselves once their controller has found them, and need drivers of their own.
    await loadMissing(system, tried);
    if (blockDevices(system).length > before) break;
    await new Promise<void>((resolve) => void system.after(STEP_MS, resolve));
  }
  return true;
}

/** Devices without a driver, by what they call themselves. `tried` are not tried again. */
async function loadMissing(system: System, tried: Set<string>): Promise<boolean> {
  const names = new Set<string>();
  for (const bus of BUSES)
    for (const device of system.list(`/sys/bus/${bus}/devices`)) {
      const path = `/sys/bus/${bus}/devices/${device}`;
      const name = system.readText(`${path}/modalias`)?.trim();
      if (name === undefined || tried.has(name) || !STORAGE.test(name)) continue;
      if (system.linkStatus(`${path}/driver`) === undefined) names.add(name);
    }
  if (names.size === 0) return false;
  for (const name of names) tried.add(name);
  // -q: an image need not have a driver for everything; -a: all of these.
  await runProgram(system, ['modprobe', '-qa', ...names]);
  return true;
}
