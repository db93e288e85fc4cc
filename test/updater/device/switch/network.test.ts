/** The gate `network`: what worked before the restart works again, judged only where there is a carrier (decisions.md 17). */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { createNodeSystem } from '../../../../system/node.ts';
import type { System } from '../../../../system/system.ts';
import { missingNetwork, networkFacts } from '../../../../updater/device/switch/network.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';

const scratch = scratchDirectory();
const CLASS = '/sys/class/net';

/** What `ip` and `arping` of this machine say; anything else that is asked of them fails. */
const BUSYBOX = `#!/bin/sh
cd "$(dirname "$0")/answers" || exit 9
case "$*" in
  "ip -o address show dev eth0 scope global") cat addresses ;;
  "ip -4 route show dev eth0") cat routes ;;
  "arping -f -q -c 3 -w 4 -I eth0 192.0.2.1") [ -e router ] ;;
  *) exit 9 ;;
esac
`;

const card = (file: string): string => join(scratch, CLASS, 'eth0', file);
const answer = (file: string, text: string): void => writeFileSync(join(scratch, 'answers', file), text);

function machine(): System {
  const real = createNodeSystem();
  const place = (path: string): string => (path.startsWith(CLASS) ? scratch + path : path);
  return {
    ...real,
    list: (path) => real.list(place(path)),
    status: (path) => real.status(place(path)),
    readText: (path) => real.readText(place(path)),
    spawn: ([program, ...words], wanted) =>
      real.spawn([program === 'busybox' ? join(scratch, 'busybox') : program!, ...words], wanted),
  };
}

beforeEach(() => {
  for (const directory of ['answers', `${CLASS}/lo`, `${CLASS}/eth0/device`, `${CLASS}/br0`])
    mkdirSync(join(scratch, directory), { recursive: true });
  writeFileSync(join(scratch, 'busybox'), BUSYBOX);
  chmodSync(join(scratch, 'busybox'), 0o755);
  writeFileSync(card('carrier'), '1\n');
  writeFileSync(card('flags'), '0x1003\n');
  answer('addresses', '2: eth0    inet 192.0.2.7/24 brd 192.0.2.255 scope global eth0\n');
  answer('routes', 'default via 192.0.2.1\n192.0.2.0/24 scope link  src 192.0.2.7\n');
  answer('router', '');
});

const BEFORE = { interfaces: [{ name: 'eth0', ipv4: true, ipv6: false, gateway: true }] };

test('what works: cards with a carrier, their addresses, a router that answers; bridges are their service’s business', async () => {
  expect(await networkFacts(machine())).toEqual(BEFORE);
  expect(await missingNetwork(machine(), BEFORE)).toEqual([]);
});

describe('with a carrier, what is missing is said', () => {
  test.each([
    { what: 'has no IPv4 address', change: () => answer('addresses', '') },
    { what: 'does not reach its router', change: () => rmSync(join(scratch, 'answers/router')) },
    { what: 'does not reach its router', change: () => answer('routes', '') },
    { what: 'is not there', change: () => rmSync(join(scratch, CLASS, 'eth0'), { recursive: true }) },
  ])('$what', async ({ what, change }) => {
    change();
    expect(await missingNetwork(machine(), BEFORE)).toEqual([{ interface: 'eth0', what }]);
  });
});

test('failure 32: a cable that is out is nobody’s fault; a card that nothing takes up is', async () => {
  answer('addresses', '');
  writeFileSync(card('carrier'), '0\n');
  expect(await missingNetwork(machine(), BEFORE)).toEqual([]);
  writeFileSync(card('flags'), '0x1002\n');
  expect(await missingNetwork(machine(), BEFORE)).toEqual([{ interface: 'eth0', what: 'is down' }]);
});

test('what did not work before the restart is not asked for after it', async () => {
  answer('addresses', '');
  const before = await networkFacts(machine());
  expect(before).toEqual({ interfaces: [{ name: 'eth0', ipv4: false, ipv6: false, gateway: false }] });
  expect(await missingNetwork(machine(), before)).toEqual([]);
});
