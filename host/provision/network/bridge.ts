/** Parameters of bridges: what both versions call them, and the file of the kernel that takes them. Times are seconds. */
import type { Located } from '../../../spec/located.ts';
import type { Parameter } from './config.ts';
import { flagOf, integerOf, macOf, readKeys, wordOf, type KeyReader, type Reader } from './reader.ts';

/** The kernel's files count in hundredths of a second. */
const HUNDREDTHS = 100;

const NO_PORT_FILES = 'the network service has no access to the settings of single ports';
const NO_WAITING = 'nothing waits for a bridge: its ports join as they appear';

/** Version 2's `parameters`. Without `stp: false`, the spanning tree protocol is on, as documented. */
export function readBridgeParameters2(reader: Reader, node: Located | undefined): Parameter[] {
  const parameters: Parameter[] = [];
  let stp = true;
  if (node !== undefined) {
    const { seconds, number } = readers(reader, parameters);
    readKeys(reader, node, "a bridge's 'parameters'", {
      'ageing-time': seconds('ageing_time', 0, 1_000_000),
      priority: number('priority', 0, 65_535),
      'forward-delay': seconds('forward_delay', 2, 30),
      'hello-time': seconds('hello_time', 1, 10),
      'max-age': seconds('max_age', 6, 40),
      'path-cost': NO_PORT_FILES,
      stp: (value) => (stp = flagOf(reader, value, "'stp'") ?? stp),
    });
  }
  return [{ name: 'bridge/stp_state', value: stp ? '1' : '0' }, ...parameters];
}

export interface BridgeParameters1 {
  readonly parameters: Parameter[];
  readonly macAddress: string | undefined;
}

/** Version 1's `params`. `ports` takes `bridge_ports`, another way of writing `bridge_interfaces`. */
export function readBridgeParameters1(reader: Reader, node: Located, ports: KeyReader): BridgeParameters1 {
  const parameters: Parameter[] = [];
  let macAddress: string | undefined;
  const { seconds, number } = readers(reader, parameters);
  readKeys(reader, node, "a bridge's 'params'", {
    bridge_ageing: seconds('ageing_time', 0, 1_000_000),
    bridge_bridgeprio: number('priority', 0, 65_535),
    bridge_fd: seconds('forward_delay', 0, 30),
    bridge_hello: seconds('hello_time', 1, 10),
    bridge_hw: (value) => (macAddress = macOf(reader, value, "'bridge_hw'")),
    bridge_maxage: seconds('max_age', 6, 40),
    bridge_maxwait: NO_WAITING,
    bridge_waitport: NO_WAITING,
    bridge_pathcost: NO_PORT_FILES,
    bridge_portprio: NO_PORT_FILES,
    bridge_ports: ports,
    bridge_stp: (value) => {
      const isFlag = value.kind === 'scalar' && typeof value.value === 'boolean';
      const on = isFlag
        ? value.value === true
        : wordOf(reader, value, "'bridge_stp'", ['on', 'off']) === 'on';
      parameters.push({ name: 'bridge/stp_state', value: on ? '1' : '0' });
    },
  });
  return { parameters, macAddress };
}

function readers(
  reader: Reader,
  parameters: Parameter[],
): Record<'seconds' | 'number', (file: string, least: number, most: number) => KeyReader> {
  const take =
    (factor: number) =>
    (file: string, least: number, most: number): KeyReader =>
    (value) => {
      const read = integerOf(reader, value, `'${file}'`, least, most);
      if (read !== undefined) parameters.push({ name: `bridge/${file}`, value: `${read * factor}` });
    };
  return { seconds: take(HUNDREDTHS), number: take(1) };
}
