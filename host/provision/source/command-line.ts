/**
 * The kernel's command line: `cloud-config-url=`, `network-config=` and `ds=nocloud;s=...`. No signature covers it, so an image must allow this source, and one
 * that is not the signed one marks the boot as tampered all the same. docs/datasources/command-line.md
 */
import type { System } from '../../../system/system.ts';
import { decodeBase64 } from '../../../spec/base64.ts';
import type { Dmi } from './dmi.ts';
import type { NoCloudLine } from './found.ts';
import { parseNoCloudLine } from './nocloud-line.ts';

const PATH = '/proc/cmdline';
const URL_WORD = 'cloud-config-url=';
const NETWORK_WORD = 'network-config=';

export interface CommandLineSource {
  readonly configUrl?: string;
  /** Perhaps packed with gzip. */
  readonly networkConfig?: Uint8Array;
  readonly line?: NoCloudLine;
}

export function readCommandLine(system: System, dmi: Dmi): CommandLineSource {
  const words = (system.readText(PATH) ?? '').trim().split(/\s+/);
  // The last of several counts, as everywhere on this line.
  const value = (start: string): string | undefined =>
    words.findLast((word) => word.startsWith(start))?.slice(start.length);
  const configUrl = value(URL_WORD);
  const network = value(NETWORK_WORD);
  const networkConfig = network === undefined ? undefined : decodeBase64(network);
  const line = words.map((word) => parseNoCloudLine(word, dmi)).findLast((found) => found !== undefined);
  return {
    ...(configUrl === undefined ? {} : { configUrl }),
    ...(networkConfig === undefined ? {} : { networkConfig }),
    ...(line === undefined ? {} : { line }),
  };
}
