/** Run under QuickJS by quickjs.test.ts: every document named as an argument, read and planned; all of it as JSON. */
import * as std from 'std';
import { planNetwork } from '../../../../host/provision/network/plan.ts';
import { readNetworkConfig } from '../../../../host/provision/network/read.ts';
import { createQuickJsSystem } from '../../../../system/quickjs.ts';

const system = createQuickJsSystem();
for (const path of system.arguments) {
  const reading = readNetworkConfig(system.encode(system.readText(path) ?? ''), 'network-config');
  const plan =
    reading.config === undefined
      ? null
      : planNetwork(reading.config, { cards: [], modules: ['bonding'], dhcp6: false });
  std.out.puts(`${JSON.stringify({ reading, plan })}\n`);
}
