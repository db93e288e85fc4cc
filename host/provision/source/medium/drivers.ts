/**
 * Drivers of storage that the machine did not need to reach its own disk: a q35 machine has an AHCI controller, and its CD drive with provisioning data
 * hangs on that. Loaded only where nothing was found without them: checking a module's signature costs 30 ms where machines are emulated.
 */
import { runProgram } from '../../../../system/program.ts';
import type { System } from '../../../../system/system.ts';
import { blockDevices } from './devices.ts';

const BUSES = ['pci', 'virtio', 'vmbus', 'xen', 'usb', 'scsi'];
/** Controllers of storage (PCI class 01) and USB (0c03), virtio's disk and SCSI, Hyper-V's SCSI and IDE; sticks, disks and CD drives on them. */
const STORAGE =
  /^(?:pci:.*bc01|pci:.*bc0Csc03|virtio:d0000000[28]v|vmbus:(?:d96361baa104294db60572e2ffb1dc7f|32264132cb86a2449b5c50d1417354f5)|xen:vbd|usb:.*ic08|scsi:t-0x0[05])/;
/** A controller asks its ports after its driver has started, and a CD drive what is in it. */
const SETTLE_MS = 1000;
/** A USB stick is left alone for a second before anything is asked of it. */
const STICK_MS = 4000;
/** After the last device that came. */
const QUIET_MS = 150;
const STEP_MS = 50;

/** False when there was nothing to load. Waits until new devices have come, 1 s at most, or 4 s where there is a USB stick. */
export async function loadStorageDrivers(system: System): Promise<boolean> {
  let devices = blockDevices(system).length;
  const tried = new Set<string>();
  await loadMissing(system, tried);
  if (tried.size === 0) return false;
  const startMs = system.uptimeMs();
  let endMs = startMs + SETTLE_MS;
  while (system.uptimeMs() < endMs) {
    await new Promise<void>((resolve) => void system.after(STEP_MS, resolve));
    // CD drives and disks announce themselves once their controller has found them, and need drivers of their own.
    const loaded = await loadMissing(system, tried);
    if (loaded.some((name) => name.startsWith('usb:'))) endMs = startMs + STICK_MS;
    const now = blockDevices(system).length;
    if (now > devices) endMs = system.uptimeMs() + QUIET_MS;
    devices = now;
  }
  return true;
}

/** Drivers for devices without one, by what those call themselves. What was tried is not tried again. */
async function loadMissing(system: System, tried: Set<string>): Promise<readonly string[]> {
  const names = new Set<string>();
  for (const bus of BUSES)
    for (const device of system.list(`/sys/bus/${bus}/devices`)) {
      const path = `/sys/bus/${bus}/devices/${device}`;
      const name = system.readText(`${path}/modalias`)?.trim();
      if (name === undefined || tried.has(name) || !STORAGE.test(name)) continue;
      if (system.linkStatus(`${path}/driver`) === undefined) names.add(name);
    }
  for (const name of names) tried.add(name);
  // -q: an image need not have a driver for everything; -a: all of these.
  if (names.size > 0) await runProgram(system, ['modprobe', '-qa', ...names]);
  return [...names];
}
