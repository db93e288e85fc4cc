/** What an image with `provisioning:` holds: the owner's policy, what is built in, and the provisioner's programs. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { encodeBase64 } from '../../spec/base64.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { DEFAULT_CAPABILITIES } from '../../oci/capabilities.ts';
import { DEFAULT_PROFILE, filterName } from '../../oci/seccomp/default-profile.ts';
import { compileSeccomp } from '../../oci/seccomp/compile.ts';
import { resolveProfile } from '../../oci/seccomp/resolve.ts';
import type { Architecture, ImageDefinition } from '../../spec/image.ts';
import {
  PROVISIONING_PATHS,
  SCRIPT_CAPABILITIES,
  type ProvisioningPolicy,
  type Right,
} from '../../spec/provisioning.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { textFile } from '../tree/skeleton.ts';
import { readPrograms } from './programs.ts';

const COMPONENT = 'slipway';
const PROGRAMS = [
  ...[PROVISIONING_PATHS.program, PROVISIONING_PATHS.look].map((path) => basename(path)),
  'services.js',
];

/** Nothing for an image without `provisioning:`. */
export async function provisioningFiles(image: ImageDefinition): Promise<TreeEntry[]> {
  if (image.provisioning === undefined) return [];
  const { policy, userDataFile } = image.provisioning;
  return [
    textFile(PROVISIONING_PATHS.policy, `${JSON.stringify(policy)}\n`, COMPONENT),
    ...(userDataFile === undefined
      ? []
      : // Root alone: it may hold secrets.
        [textFile(PROVISIONING_PATHS.builtIn, await readFile(userDataFile, 'utf8'), COMPONENT, 0o600)]),
    ...scriptFilter(policy, image.architecture),
    ...serviceFilters(policy, image.architecture),
    ...(await readPrograms(PROGRAMS)).map(({ name, text }) =>
      textFile(`${MACHINE_PATHS.programs}/${name}`, text, COMPONENT),
    ),
  ];
}

/** The default profile for the capabilities of scripts, compiled: as services of the image have it. */
function scriptFilter(policy: ProvisioningPolicy, architecture: Architecture): TreeEntry[] {
  if (!mayDo(policy, 'scripts') || policy.scripts !== 'container') return [];
  return [filterFile(PROVISIONING_PATHS.scriptFilter, SCRIPT_CAPABILITIES, architecture)];
}

/** And for services that keep the usual capabilities, or drop them all: compiling takes longer on a machine than everything else about a service. */
function serviceFilters(policy: ProvisioningPolicy, architecture: Architecture): TreeEntry[] {
  if (!mayDo(policy, 'services')) return [];
  return [DEFAULT_CAPABILITIES, []].map((capabilities) =>
    filterFile(
      `${PROVISIONING_PATHS.serviceFilters}/${filterName(capabilities)}`,
      capabilities,
      architecture,
    ),
  );
}

function mayDo({ sources }: ProvisioningPolicy, right: Right): boolean {
  return Object.values(sources).some((rights) => rights.includes(right));
}

function filterFile(path: string, capabilities: readonly string[], architecture: Architecture): TreeEntry {
  const program = compileSeccomp(resolveProfile(DEFAULT_PROFILE, architecture, capabilities), architecture);
  if (program === undefined) throw new Error('the default seccomp profile cannot be compiled');
  return textFile(path, `${encodeBase64(program)}\n`, COMPONENT);
}
