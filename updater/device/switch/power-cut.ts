/**
 * For tests: resets the machine right behind a named step, as a power cut would. The label comes from /run, which root alone writes, or from the
 * hypervisor; both can reset a machine at any time anyhow, so nobody gains a power by it. Nothing on the disk or from the network has a say.
 */
import type { System } from '../../../system/system.ts';

const SOURCES = ['/run/slipway/cut-at', '/sys/firmware/qemu_fw_cfg/by_name/opt/org.slipway/cut-at/raw'];

export async function powerCut(system: System, label: string): Promise<void> {
  if (!SOURCES.some((path) => system.readText(path)?.trim() === label)) return;
  const fd = system.open('/proc/sysrq-trigger', { access: 'write' });
  if (fd < 0) return;
  system.write(fd, system.encode('b'));
  system.close(fd);
  // The other processors may run on for a moment: this one does nothing more.
  await new Promise(() => undefined);
}
