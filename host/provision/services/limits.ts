/**
 * What a service of a boot configuration may do. It comes from outside the signed image, so it never gets what would make it the machine's
 * master: docs/provisioned-services.md has the list for people. What is bounded here is refused with its line, never quietly taken away.
 */
import type { Path } from '../../../spec/located.ts';
import type { Right } from '../../../spec/provisioning.ts';
import type { ServiceDefinition } from '../../../spec/service.ts';
import type { ServiceInput } from '../../../spec/service-schema.ts';
import { basename } from '../../../spec/posix-path.ts';

export type Refuse = (path: Path, message: string, hint?: string, prefer?: 'value' | 'key') => void;

export interface LimitFacts {
  readonly rights: readonly Right[];
  /** Whether the machine has tini; `undefined`: not known (on a workstation). */
  readonly hasInit?: boolean;
  /** Named volumes of the image's own services. */
  readonly takenVolumes: ReadonlySet<string>;
}

/** Beyond Docker's default set. The others are the machine's: modules, raw I/O, clocks, boot, other security modules, the file system's rules. */
const CAPABILITIES: readonly string[] = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'SETFCAP'],
  ...['NET_BIND_SERVICE', 'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_NICE'],
  ...['MKNOD', 'AUDIT_WRITE', 'IPC_LOCK', 'IPC_OWNER', 'LEASE'],
];

/** Devices that lead neither to memory, disks and firmware of the machine nor to its console. */
const DEVICES =
  /^\/dev\/(null|zero|full|random|urandom|hwrng|kvm|fuse|ppp|fb0|net\/tun|vhost-net|vhost-vsock|snd\/(seq|timer)|dri\/(card|renderD)\d+|video\d+|i2c-\d+|sr\d+|tty(USB|ACM)\d+)$/;

/** May be written, as far as the service's own user may. */
const WRITABLE = /^\/(var|home|srv|mnt|media)\/./;
const OWN = /^\/var\/(lib\/slipway|log\/slipway)(\/|$)/;
const HOMES = /^\/var\/lib\/slipway\/home\/./;
/** May be seen: certificates, time zones and the like, and the machine's hosts and resolv.conf. */
const READABLE = /^\/(usr\/share|etc\/ssl|etc\/ca-certificates|run\/etc)(\/|$)/;

export function checkLimits(
  input: ServiceInput,
  definition: ServiceDefinition,
  facts: LimitFacts,
  refuse: Refuse,
): void {
  if (input.privileged) {
    refuse(
      ['privileged'],
      'a service of a boot configuration is never privileged',
      'name what it needs: cap_add, devices',
    );
  }
  if (definition.pid === 'host') {
    refuse(['pid'], 'a service of a boot configuration has a process table of its own', 'remove `pid: host`');
  }
  if (definition.ipc === 'host')
    refuse(
      ['ipc'],
      'a service of a boot configuration shares no memory with the machine',
      'remove `ipc: host`',
    );
  checkSecurity(definition, facts, refuse);
  checkMounts(definition, facts, refuse);
  checkUnsupported(input, facts, refuse);
}

function checkSecurity(definition: ServiceDefinition, { rights }: LimitFacts, refuse: Refuse): void {
  definition.capAdd.forEach((name, index) => {
    const at = ['cap_add', index];
    if (name === 'ALL')
      refuse(at, 'a service of a boot configuration never has all capabilities', 'name those that it needs');
    else if (!CAPABILITIES.includes(name))
      refuse(at, `${name} is for services of the image alone`, `allowed: ${CAPABILITIES.join(', ')}`);
    else if (name === 'NET_ADMIN' && definition.networkMode === 'host' && !rights.includes('network')) {
      refuse(
        at,
        "NET_ADMIN with `network_mode: host` changes the machine's network",
        'that takes the right `network`: provisioning.sources in the image definition',
      );
    }
  });
  if (definition.securityOpt.seccomp !== 'default') {
    refuse(
      ['security_opt'],
      'the system calls of a service of a boot configuration are always filtered',
      'remove `seccomp`',
      'key',
    );
  }
  definition.devices.forEach(({ source }, index) => {
    if (!DEVICES.test(source))
      refuse(
        ['devices', index],
        `${source} is for services of the image alone`,
        'allowed are devices such as /dev/net/tun, /dev/kvm, /dev/fuse, /dev/dri/..., /dev/ttyUSB0',
      );
  });
  if ((definition.oomScoreAdj ?? 0) < 0) {
    refuse(
      ['oom_score_adj'],
      'when memory is short, a service of a boot configuration goes before those of the machine',
      'write 0 or more',
    );
  }
}

function checkMounts(definition: ServiceDefinition, { takenVolumes }: LimitFacts, refuse: Refuse): void {
  definition.volumes.forEach((mount, index) => {
    const at = ['volumes', index];
    if (mount.kind === 'volume' && takenVolumes.has(mount.name)) {
      refuse(at, `the volume '${mount.name}' belongs to a service of the image`, 'choose another name');
    }
    if (mount.kind !== 'bind') return;
    const { source, propagation } = mount;
    if (propagation.endsWith('shared'))
      refuse(at, `'${propagation}' would let its mounts out into the machine`, 'remove it, or write rslave');
    const writable = WRITABLE.test(source) && (!OWN.test(source) || HOMES.test(source));
    if (writable) return;
    if (!READABLE.test(source)) {
      refuse(
        at,
        `${source} is the machine's own`,
        'a service of a boot configuration sees directories below /var (not /var/lib/slipway), /home, /srv, /mnt and /media, and reads /usr/share, /etc/ssl and /run/etc',
      );
    } else if (!mount.readOnly)
      refuse(at, `${source} can only be read`, `write ${source}:${mount.target}:ro`);
  });
}

function checkUnsupported(input: ServiceInput, { rights, hasInit }: LimitFacts, refuse: Refuse): void {
  const slipway = input['x-slipway'];
  const take = (path: Path, message: string, hint: string): void => refuse(path, message, hint, 'key');
  if (input.env_file !== undefined)
    take(['env_file'], 'there is no file beside a boot configuration', 'use environment');
  if (input.extends !== undefined)
    take(['extends'], 'there is no other file beside a boot configuration', 'use a YAML anchor and `<<`');
  if (input.profiles.length > 0) take(['profiles'], 'a boot configuration has no profiles', 'remove it');
  if (slipway.packages !== undefined) {
    take(['x-slipway', 'packages'], 'the machine installs no packages', 'name an OCI image with image');
  }
  slipway.files.forEach((file, index) => {
    if (file.source !== undefined)
      take(
        ['x-slipway', 'files', index, 'source'],
        'there is no file beside a boot configuration',
        'write its content',
      );
    else if (basename(file.path) === '')
      take(['x-slipway', 'files', index, 'path'], 'the root folder is no file', 'name a file');
  });
  if (slipway.gate && !rights.includes('update')) {
    take(
      ['x-slipway', 'gate'],
      'a gate decides whether an update is kept',
      'that takes the right `update`: provisioning.sources in the image definition',
    );
  }
  if (input.init && hasInit === false) {
    take(
      ['init'],
      'this image has no init for containers',
      'it is part of an image when one of its own services has `init: true`',
    );
  }
}
