import { describe, expect, test } from 'vitest';
import { DEFAULT_CAPABILITIES } from '../../../../oci/capabilities.ts';
import { parseSeccompProfile } from '../../../../oci/seccomp/profile.ts';
import { DEFAULT_PROFILE } from '../../../../oci/seccomp/default-profile.ts';
import { resolveProfile, resolveSeccomp } from '../../../../oci/seccomp/resolve.ts';
import { service } from '../service.ts';

const profile = (rule: object): string =>
  JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: ['a'], action: 'SCMP_ACT_ALLOW', ...rule }],
  });

describe('conditions of a profile, as Docker reads them', () => {
  test.each([
    ['no condition', {}, true],
    ['this architecture', { includes: { arches: ['amd64', 'arm64'] } }, true],
    ['another architecture', { includes: { arches: ['s390x'] } }, false],
    ['a capability that is there', { includes: { caps: ['CAP_CHOWN'] } }, true],
    ['a capability that is not', { includes: { caps: ['CAP_CHOWN', 'CAP_SYS_ADMIN'] } }, false],
    ['an older kernel is enough', { includes: { minKernel: '4.8' } }, true],
    ['a kernel is needed that may not be', { includes: { minKernel: '7.0' } }, false],
    ['not for this architecture', { excludes: { arches: ['amd64'] } }, false],
    ['not with a capability that is there', { excludes: { caps: ['CAP_SYS_ADMIN', 'CAP_CHOWN'] } }, false],
    ['not with a capability that is not', { excludes: { caps: ['CAP_SYS_ADMIN'] } }, true],
    ['not since a kernel', { excludes: { minKernel: '5.0' } }, false],
  ])('%s', (_what, rule, applies) => {
    const resolved = resolveProfile(
      parseSeccompProfile(profile(rule), 'p.json'),
      'amd64',
      DEFAULT_CAPABILITIES,
    );
    expect(resolved.syscalls).toHaveLength(applies ? 1 : 0);
  });
});

test('architectures come from archMap', () => {
  expect(resolveProfile(DEFAULT_PROFILE, 'arm64', []).architectures).toEqual([
    'SCMP_ARCH_AARCH64',
    'SCMP_ARCH_ARM',
  ]);
});

test('capabilities open what they mean anyway', () => {
  const names = (caps: string[]): readonly string[] =>
    resolveProfile(DEFAULT_PROFILE, 'amd64', caps).syscalls.flatMap((rule) => rule.names);
  expect(names([])).not.toContain('settimeofday');
  expect(names(['CAP_SYS_TIME'])).toContain('settimeofday');
  expect(names([])).not.toContain('io_uring_setup');
});

test('privileged and unconfined have none', () => {
  expect(resolveSeccomp(service({ privileged: true }), 'amd64', undefined)).toBeUndefined();
  const securityOpt = { noNewPrivileges: false, seccomp: 'unconfined' };
  expect(resolveSeccomp(service({ securityOpt }), 'amd64', undefined)).toBeUndefined();
});

describe('refused', () => {
  test.each([
    ['text that is no JSON', '{', /not JSON/],
    ['an unknown key', JSON.stringify({ defaultAction: 'SCMP_ACT_ERRNO', syscall: [] }), /syscall/],
    ['an unknown action', profile({ action: 'SCMP_ACT_PANIC' }), /action/],
    ['an action that needs a listener', profile({ action: 'SCMP_ACT_NOTIFY' }), /action/],
    ['a seventh argument', profile({ args: [{ index: 6, value: 0, op: 'SCMP_CMP_EQ' }] }), /index/],
    ['an unknown operator', profile({ args: [{ index: 0, value: 0, op: 'SCMP_CMP_IN' }] }), /op/],
    ['both name and names', profile({ name: 'b' }), /either name or names/],
  ])('%s', (_what, text, message) => {
    expect(() => parseSeccompProfile(text, 'p.json')).toThrow(message);
  });
});
