/** Configurations of machines (user-data, network-config) on the workstation: told apart, and read by the machine's own code. */
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { kindOfHeader, headerLine, recognise } from '../host/provision/document/header.ts';
import { isMime } from '../host/provision/document/mime.ts';
import { readDocuments, type Context } from '../host/provision/document/read.ts';
import { readNetworkConfig } from '../host/provision/network/read.ts';
import { checkServices } from '../host/provision/services/check.ts';
import type { Diagnostic } from '../spec/diagnostic.ts';
import { nodeAt, type LocatedMap } from '../spec/located.ts';
import { RIGHTS } from '../spec/provisioning.ts';
import { parseYaml } from '../spec/yaml.ts';

export type ProvisioningKind = 'user-data' | 'network-config';

/** What stands in no image definition. */
const OWN_KEYS = ['runcmd', 'bootcmd', 'write_files', 'ssh_authorized_keys', 'packages', 'power_state'];

/** Nobody knows the machine here, and nothing is fetched. */
const WORKSTATION: Context = {
  inflate: (bytes, limitBytes) => Promise.resolve(unpacked(bytes, limitBytes)),
};

/** By its first line, its form or its name; `undefined`: it is for another reader. */
export function provisioningKind(file: string, bytes: Uint8Array): ProvisioningKind | undefined {
  const name = basename(file);
  if (/^(user|vendor)[-_]data/.test(name)) return 'user-data';
  if (/^network[-_]config/.test(name)) return 'network-config';
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return 'user-data';
  const text = new TextDecoder()
    .decode(bytes)
    .replace(/^\uFEFF/, '')
    .replaceAll('\r\n', '\n');
  const lines = text.split('\n');
  if (kindOfHeader(lines[headerLine(lines) - 1] ?? '') !== undefined || isMime(text)) return 'user-data';
  if (/Ignition|Butane|base64|nearly/.test(recognise(text)?.[0] ?? '')) return 'user-data';
  const { root } = parseYaml(file, file, text);
  if (root?.kind !== 'map') return undefined;
  if (isNetwork(root)) return 'network-config';
  // The first line was forgotten.
  return OWN_KEYS.some((key) => root.entries.has(key)) ? 'user-data' : undefined;
}

/** Every fault at once, as the machine would tell them. */
export async function validateProvisioning(
  kind: ProvisioningKind,
  file: string,
  bytes: Uint8Array,
): Promise<readonly Diagnostic[]> {
  if (kind === 'network-config') return readNetworkConfig(bytes, file).diagnostics;
  const names = { userData: file, vendorData: file };
  const { config, diagnostics } = await readDocuments({ userData: bytes }, WORKSTATION, names);
  return [...diagnostics, ...checkServices(config.services, { rights: RIGHTS }).diagnostics];
}

function isNetwork(root: LocatedMap): boolean {
  const body = nodeAt(root, ['network']) ?? root;
  if (body.kind !== 'map' || !body.entries.has('version')) return false;
  return ['config', 'ethernets', 'bonds', 'bridges', 'vlans', 'renderer'].some((key) =>
    body.entries.has(key),
  );
}

function unpacked(bytes: Uint8Array, limitBytes: number): Uint8Array | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: limitBytes });
  } catch {
    return undefined;
  }
}
