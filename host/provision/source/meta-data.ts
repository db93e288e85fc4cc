/** Meta-data, YAML or JSON, to the few things that provisioning needs of it. */
import { formatDiagnostic } from '../../../spec/diagnostic.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { toPlain } from '../../../spec/located.ts';
import { parseYaml } from '../../../spec/yaml.ts';
import type { System } from '../../../system/system.ts';
import type { Json, MetaData, PlatformFacts } from './found.ts';

export type JsonMap = Readonly<Record<string, Json>>;

/** One OpenSSH line without options: what a platform hands over is to open a session, not to run something at its start. */
const PUBLIC_KEY =
  /^(?:ssh-(?:rsa|ed25519)|ecdsa-sha2-nistp(?:256|384|521)|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]+={0,2}(?: [^\n\r]*)?$/;
/** What a template has no business with. */
const SECRETS = ['random_seed', 'admin_pass', 'password'];

/** YAML, so JSON too; empty text is an empty map. Throws `provision.meta-data` with the place of the fault. */
export function parseMetaData(system: System, bytes: Uint8Array | undefined, file: string): JsonMap {
  const text = bytes === undefined ? '' : system.decode(bytes);
  if (!/\S/.test(text.replace(/^\s*#.*$/gm, ''))) return {};
  const { root, diagnostics } = parseYaml(`/${file}`, file, text);
  const [fault] = diagnostics;
  if (root === undefined || fault !== undefined)
    throw new SlipwayError(
      'provision.meta-data',
      fault === undefined ? `${file} is no YAML` : formatDiagnostic(fault),
    );
  if (root.kind !== 'map') throw new SlipwayError('provision.meta-data', `${file} is no map of keys`);
  return {
    ...(toPlain(root) as JsonMap),
    // As written: an id of digits alone is text, too, and may have zeros in front.
    ...Object.fromEntries(
      ['instance-id', 'instance_id', 'local-hostname', 'hostname'].flatMap((key) => {
        const value = root.entries.get(key)?.value;
        return value?.kind === 'scalar' && value.value !== null ? [[key, value.text]] : [];
      }),
    ),
  };
}

/** JSON alone: what platforms that write no YAML send. Throws `provision.meta-data`. */
export function parseJson(system: System, bytes: Uint8Array, file: string): JsonMap {
  try {
    const value = JSON.parse(system.decode(bytes)) as Json;
    if (isMap(value)) return value;
  } catch {
    // Told below.
  }
  throw new SlipwayError('provision.meta-data', `${file} is not what it should be: a JSON object`);
}

export function isMap(value: Json | undefined): value is JsonMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Text that is not empty; numbers become text. */
export function textOf(value: Json | undefined): string | undefined {
  if (typeof value === 'number') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Keys in all the forms that platforms have them in: text with lines, lists, maps of either. */
export function publicKeysOf(value: Json | undefined): readonly string[] {
  const lines = (one: Json | undefined): readonly string[] => {
    if (typeof one === 'string') return one.split(/\r?\n/).map((line) => line.trim());
    if (Array.isArray(one)) return (one as readonly Json[]).flatMap(lines);
    return isMap(one) ? Object.values(one).flatMap(lines) : [];
  };
  return [...new Set(lines(value).filter((line) => PUBLIC_KEY.test(line)))];
}

export interface Described {
  readonly facts: PlatformFacts;
  readonly instanceId: string;
  readonly localHostname: string | undefined;
  readonly publicKeys: readonly string[];
  /** Becomes `ds.meta_data`. */
  readonly raw: JsonMap;
}

/** The same variables for every platform, named as cloud-init's (`cloud-init query --all`). */
export function metaDataOf({ facts, instanceId, localHostname, publicKeys, raw }: Described): MetaData {
  const standard: Record<string, Json> = {
    cloud_name: facts.cloudName,
    platform: facts.cloudName,
    instance_id: instanceId,
    public_ssh_keys: publicKeys,
    ...(localHostname === undefined ? {} : { local_hostname: localHostname }),
    ...(facts.region === undefined ? {} : { region: facts.region }),
    ...(facts.availabilityZone === undefined ? {} : { availability_zone: facts.availabilityZone }),
  };
  const metaData = Object.fromEntries(Object.entries(raw).filter(([key]) => !SECRETS.includes(key)));
  return {
    publicKeys,
    variables: { v1: standard, ds: { meta_data: metaData } },
    ...(localHostname === undefined ? {} : { localHostname }),
  };
}

/** Without those that are not there. */
export function platformFacts(
  cloudName: string,
  facts: {
    readonly region?: string | undefined;
    readonly availabilityZone?: string | undefined;
    readonly instanceType?: string | undefined;
  } = {},
): PlatformFacts {
  const { region, availabilityZone, instanceType } = facts;
  return {
    cloudName,
    ...(region === undefined ? {} : { region }),
    ...(availabilityZone === undefined ? {} : { availabilityZone }),
    ...(instanceType === undefined ? {} : { instanceType }),
  };
}
