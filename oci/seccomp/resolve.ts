/** From a profile with conditions to the rules of one service on one architecture: what Docker does at every start is done at build time. */
import type { Architecture } from '../../spec/image.ts';
import type { ServiceDefinition } from '../../spec/service.ts';
import { SlipwayError } from '../../spec/error.ts';
import { boundingCapabilities } from '../capabilities.ts';
import type { OciSeccomp, OciSeccompRule } from '../runtime-spec.ts';
import { DEFAULT_PROFILE } from './default-profile.ts';
import type { SeccompProfile, SeccompRule } from './profile.ts';

/** The oldest kernel that an image can have (Debian trixie's): what `minKernel` is compared with. */
const KERNEL = '6.12';

export const NATIVE: Readonly<Record<Architecture, string>> = {
  amd64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
};

/** As with Docker: a privileged container has a profile only when it names one. */
export function usesDefaultProfile({ securityOpt, privileged }: ServiceDefinition): boolean {
  return securityOpt.seccomp === 'default' && !privileged;
}

/** `undefined`: unconfined. `custom`: the parsed profile that the service names by its path. */
export function resolveSeccomp(
  service: ServiceDefinition,
  architecture: Architecture,
  custom: SeccompProfile | undefined,
): OciSeccomp | undefined {
  const { seccomp } = service.securityOpt;
  if (usesDefaultProfile(service))
    return resolveProfile(DEFAULT_PROFILE, architecture, boundingCapabilities(service));
  if (seccomp === 'unconfined' || seccomp === 'default') return undefined;
  if (custom === undefined) {
    throw new SlipwayError(
      'bundle.seccomp',
      `service ${service.name}: seccomp profile ${seccomp} was not read`,
    );
  }
  return resolveProfile(custom, architecture, boundingCapabilities(service));
}

export function resolveProfile(
  profile: SeccompProfile,
  architecture: Architecture,
  capabilities: readonly string[],
): OciSeccomp {
  const map = profile.archMap?.find((entry) => entry.architecture === NATIVE[architecture]);
  const architectures =
    map === undefined ? (profile.architectures ?? []) : [map.architecture, ...(map.subArchitectures ?? [])];
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet == null ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures,
    ...(profile.flags == null || profile.flags.length === 0 ? {} : { flags: profile.flags }),
    syscalls: (profile.syscalls ?? [])
      .filter((rule) => applies(rule, architecture, capabilities))
      .map(ociRule),
  };
}

function applies(rule: SeccompRule, architecture: string, capabilities: readonly string[]): boolean {
  const { includes, excludes } = rule;
  if (includes?.arches?.length && !includes.arches.includes(architecture)) return false;
  if (includes?.caps?.some((capability) => !capabilities.includes(capability))) return false;
  if (includes?.minKernel != null && !isAtLeast(KERNEL, includes.minKernel)) return false;
  if (excludes?.arches?.includes(architecture)) return false;
  if (excludes?.caps?.some((capability) => capabilities.includes(capability))) return false;
  return excludes?.minKernel == null || !isAtLeast(KERNEL, excludes.minKernel);
}

function ociRule(rule: SeccompRule): OciSeccompRule {
  return {
    names: rule.names ?? (rule.name == null ? [] : [rule.name]),
    action: rule.action,
    ...(rule.errnoRet == null ? {} : { errnoRet: rule.errnoRet }),
    ...(rule.args == null || rule.args.length === 0
      ? {}
      : {
          args: rule.args.map(({ index, value, valueTwo, op }) => ({
            index,
            value,
            ...(valueTwo == null ? {} : { valueTwo }),
            op,
          })),
        }),
  };
}

function isAtLeast(version: string, wanted: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
