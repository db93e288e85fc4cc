/** An installer that is killed, with everything that it started, at each step that it announces; each time the disk must be as free as before. */
import { expect } from 'vitest';
import type { SshAccess } from '../../lab/ssh.ts';
import { ssh } from './machine.ts';

const STEPS = [
  '  clearing the partition table of DISK',
  '  root',
  '  boot partition',
  '  state',
  '  partition table',
] as const;

/** Of the last step the end may come too soon: then there is a whole table, and the disk is wiped for whoever comes next. */
const SCRIPT = `
disk=$1 step=$2 log=/run/interrupted.log
setsid qjs --no-unhandled-rejection -m /usr/lib/slipway/install.js "$disk" >$log 2>&1 </dev/null &
installer=$!
until grep -qxF "$step" $log; do
	kill -0 $installer 2>/dev/null || { cat $log; exit 1; }
done
kill -9 -$installer
wait $installer
if [ "$(hexdump -s 512 -n 8 -v -e '8/1 "%c"' "$disk")" = 'EFI PART' ]; then
	[ "$step" = '  partition table' ] || { echo 'a table came before its time'; exit 1; }
	dd if=/dev/zero of="$disk" bs=1M count=1 conv=notrunc,fsync 2>/dev/null
	last=$(($(cat /sys/class/block/\${disk##*/}/size) / 2048 - 1))
	dd if=/dev/zero of="$disk" bs=1M seek=$last conv=notrunc,fsync 2>/dev/null
fi
slip install --dry-run "$disk"
`;

export async function interruptInstaller(access: SshAccess, disk: string): Promise<void> {
  const script = '/run/interrupt-installer.sh';
  await ssh(access, `slip shell -T -- sh -c 'cat >${script}'`, SCRIPT);
  for (const step of STEPS) {
    const words = [disk, step.replace('DISK', disk)].map((word) => `"${word}"`).join(' ');
    const said = await ssh(access, `slip shell -T -- sh ${script} ${words}`);
    expect(`${step}: ${said}`).toMatch(/becomes .*\nnow +empty/);
  }
}
