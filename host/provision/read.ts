/** All documents of a source, read with the machine at hand. */
import type { Diagnostic } from '../../spec/diagnostic.ts';
import type { KeyStatus } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import type { MachineConfig } from './config.ts';
import { readDocuments } from './document/read.ts';
import type { NetworkConfig } from './network/config.ts';
import type { Found } from './source/found.ts';
import { gunzip } from './source/gunzip.ts';
import { createHttpClient } from './source/http/client.ts';
import { sameBytes } from './source/look-offline.ts';
import { readIncluded, type Included } from './store/included.ts';

export interface Reading {
  readonly config: MachineConfig;
  readonly network: NetworkConfig | undefined;
  readonly keys: readonly KeyStatus[];
  readonly diagnostics: readonly Diagnostic[];
  /** Some of it stands at an address, and was not fetched. */
  readonly needsNetwork: boolean;
  /** What stood at addresses, and whether that is other than before. */
  readonly included: Included;
  readonly includedAnew: boolean;
  /** Some of that is asked for again at each boot. */
  readonly asksAgain: boolean;
}

/** All fetching together. */
const FETCH_BUDGET_MS = 60_000;

/** `fetch`: whether documents that are named by their addresses may be fetched now. */
export async function readFound(system: System, found: Found, fetch: 'fetch' | 'offline'): Promise<Reading> {
  const budget = { endsAtMs: system.uptimeMs() + FETCH_BUDGET_MS };
  let needsNetwork = false;
  let includedAnew = false;
  let asksAgain = false;
  const included = new Map<string, Uint8Array>();
  const client = createHttpClient(system, budget);
  const { userData, vendorData, networkConfig } = found;
  const read = await readDocuments(
    {
      ...(userData === undefined ? {} : { userData }),
      ...(vendorData === undefined ? {} : { vendorData }),
    },
    {
      variables: found.metaData.variables,
      fetch: async (url, once) => {
        asksAgain ||= !once;
        const kept = readIncluded(system, found.instanceId, url);
        const asked = fetch === 'fetch' && !(once && kept !== undefined);
        // Whoever cannot be asked now was asked before.
        const fetched = asked ? await client.follow(url).catch(() => undefined) : undefined;
        includedAnew ||= fetched !== undefined && !sameBytes(fetched, kept);
        const bytes = fetched ?? kept;
        if (bytes !== undefined) included.set(url, bytes);
        else if (fetch === 'offline') {
          needsNetwork = true;
          return 'later';
        }
        return bytes;
      },
      inflate: async (bytes, limitBytes) => {
        try {
          const unpacked = await gunzip(system, bytes);
          return unpacked.length > limitBytes ? undefined : unpacked;
        } catch {
          return undefined;
        }
      },
    },
  );
  const network =
    networkConfig === undefined
      ? { diagnostics: [] }
      : (await import('./network/read.ts')).readNetworkConfig(networkConfig, 'network-config');
  return {
    config: read.config,
    network: 'config' in network ? network.config : undefined,
    keys: read.keys,
    diagnostics: [...read.diagnostics, ...network.diagnostics],
    needsNetwork,
    included,
    includedAnew,
    asksAgain,
  };
}

/** For a machine's logs and consoles: source lines can hold secrets, so only the place and the message. */
export function lineOf({ file, line, severity, message, hint }: Diagnostic): string {
  const advice = hint === undefined ? '' : ` (${hint})`;
  return `${file}:${line}: ${severity === 'warning' ? 'warning: ' : ''}${message}${advice}`;
}
