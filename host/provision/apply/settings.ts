/** Names and small files that live as long as a boot, and what is made of what the image has. */
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { CERTIFICATES, CHRONY_SOURCES, LOCAL_TIME, OPENNTPD, RESOLV_PART } from '../plan/paths.ts';
import type {
  CertificatesAction,
  HostnameAction,
  RuntimeFileAction,
  SeedAction,
  Step,
} from '../plan/step.ts';
import { UPDATE_CA, UPDATE_SETTINGS } from '../plan/update.ts';
import { splitPath } from './directory.ts';
import { done, failed, reasonOf, type StepResult } from './result.ts';
import { bytesOf, sameBytes } from './write.ts';

const { generatedEtc } = MACHINE_PATHS;
const HOSTNAME = `${generatedEtc}/hostname`;
const HOSTS = `${generatedEtc}/hosts`;
const KERNEL_HOSTNAME = '/proc/sys/kernel/hostname';
const IMAGE_CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
/** What `sysinit` called the machine in this boot. */
const FIRST_NAME = `${PROVISIONING_PATHS.runtime}/first-name`;

/** Everything that a configuration may have put there, and the service that reads it: without its key it goes. */
const RUNTIME_FILES: Readonly<Record<string, string | null>> = {
  [LOCAL_TIME]: null,
  [CHRONY_SOURCES]: 'time',
  [OPENNTPD]: 'time',
  [RESOLV_PART]: 'network',
  [CERTIFICATES]: null,
  [UPDATE_CA]: null,
  [UPDATE_SETTINGS]: null,
};

export function applyHostname(system: System, { name, hosts }: HostnameAction): StepResult {
  const before = system.readText(HOSTNAME);
  if (system.status(FIRST_NAME) === undefined && before !== undefined) {
    system.makeDirectory(PROVISIONING_PATHS.runtime, 0o700);
    system.writeText(
      FIRST_NAME,
      `${JSON.stringify({ name: before, hosts: system.readText(HOSTS) ?? '' })}\n`,
      0o600,
    );
  }
  return setName(system, `${name}\n`, hosts);
}

function setName(system: System, name: string, hosts: string | null): StepResult {
  let changed = writeText(system, HOSTNAME, name);
  if (hosts !== null) changed = writeText(system, HOSTS, hosts) || changed;
  if (system.readText(KERNEL_HOSTNAME)?.trim() !== name.trim()) {
    const fd = system.open(KERNEL_HOSTNAME, { access: 'write' });
    if (fd < 0) return failed(`the kernel does not take the name: ${reasonOf(fd)}`);
    system.write(fd, system.encode(name));
    system.close(fd);
    changed = true;
  }
  return done(changed);
}

export function applyRuntimeFile(system: System, action: RuntimeFileAction): StepResult {
  // Also of a plan that was kept: nothing else may be written this way.
  if (!Object.hasOwn(RUNTIME_FILES, action.path)) return failed(`${action.path} is not for a configuration`);
  const changed = writeBytes(system, action.path, bytesOf(system, action.content), action.mode);
  return done(changed, null, action.service === null ? [] : [action.service]);
}

/** The image's own bundle, unless that is not wanted, and what is trusted besides. */
export function applyCertificates(
  system: System,
  { removeDefaults, trusted }: CertificatesAction,
): StepResult {
  const own = removeDefaults ? '' : (system.readText(IMAGE_CERTIFICATES) ?? '');
  const added = trusted.map((pem) => `${pem}\n`).join('');
  const text = own === '' || own.endsWith('\n') ? own + added : `${own}\n${added}`;
  return done(writeBytes(system, CERTIFICATES, system.encode(text), 0o644));
}

export function applySeed(system: System, { data }: SeedAction): StepResult {
  if (data === null) return done(false);
  const fd = system.open('/dev/urandom', { access: 'write' });
  if (fd < 0) return failed(`the kernel does not take it: ${reasonOf(fd)}`);
  const written = system.write(fd, bytesOf(system, data));
  system.close(fd);
  // What is mixed in cannot be seen afterwards: the machine is as before.
  return typeof written === 'number' ? done(false) : failed('the kernel does not take it');
}

/** What an earlier configuration of this boot put there and the present one does not name. */
export function removeForgotten(
  system: System,
  steps: readonly Step[],
): { changed: boolean; restart: readonly string[] } {
  const restart = new Set<string>();
  let changed = false;
  const kept = new Set(
    steps.flatMap((step) =>
      step.kind === 'runtime-file' ? [step.path] : step.kind === 'certificates' ? [CERTIFICATES] : [],
    ),
  );
  for (const [path, service] of Object.entries(RUNTIME_FILES)) {
    if (kept.has(path) || !system.remove(path)) continue;
    changed = true;
    if (service !== null) restart.add(service);
  }
  const first = system.readText(FIRST_NAME);
  if (first !== undefined && !steps.some(({ kind }) => kind === 'hostname')) {
    const { name, hosts } = JSON.parse(first) as { name: string; hosts: string };
    setName(system, name, hosts);
    system.remove(FIRST_NAME);
    changed = true;
  }
  return { changed, restart: [...restart] };
}

function writeText(system: System, path: string, text: string): boolean {
  return writeBytes(system, path, system.encode(text), 0o644);
}

/** Below /run: nothing to sync, and nobody but root in these directories. */
function writeBytes(system: System, path: string, bytes: Uint8Array, mode: number): boolean {
  const found = system.linkStatus(path);
  if (found?.kind === 'file' && found.mode === mode) {
    const fd = system.open(path, { access: 'read', noFollow: true });
    const old = fd < 0 ? 'failed' : system.readAt(fd, 0, bytes.length + 1);
    if (fd >= 0) system.close(fd);
    if (old !== 'failed' && sameBytes(old, bytes)) return false;
  }
  system.makeDirectory(splitPath(path).directory);
  const temporary = `${path}.new`;
  system.remove(temporary);
  const fd = system.open(temporary, { access: 'write', create: { mode, exclusive: true } });
  if (fd < 0) throw new Error(`${path} cannot be written: ${reasonOf(fd)}`);
  const written = system.writeAt(fd, 0, bytes);
  system.close(fd);
  if (written && system.rename(temporary, path)) return true;
  system.remove(temporary);
  throw new Error(`${path} cannot be written: there is no space left`);
}
