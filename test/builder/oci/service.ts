/** A service with Compose's defaults, and a root to run it in, for the tests of this folder. */
import type { ServiceDefinition } from '../../../spec/service.ts';
import type { TreeEntry } from '../../../builder/tree/entry.ts';
import { rootView, type EntryView } from '../../../builder/oci/root-view.ts';

export function service(changes: Partial<ServiceDefinition> = {}): ServiceDefinition {
  return {
    name: 'web',
    file: '/services/web/compose.yaml',
    root: { kind: 'packages', packages: [] },
    command: ['/usr/bin/webd', '--port', '80'],
    environment: {},
    groupAdd: [],
    volumes: [],
    devices: [],
    capAdd: [],
    capDrop: [],
    privileged: false,
    securityOpt: { noNewPrivileges: false, seccomp: 'default' },
    readOnly: true,
    networkMode: 'none',
    pid: 'private',
    ipc: 'private',
    sysctls: {},
    ulimits: [],
    restart: { policy: 'always' },
    stopSignal: 'SIGTERM',
    stopGraceMs: 10_000,
    init: false,
    dependsOn: [],
    labels: {},
    profiles: [],
    type: 'service',
    gate: false,
    state: [],
    files: [],
    ...changes,
  };
}

const PASSWD = ['root:x:0:0:root:/root:/bin/sh', 'www:x:33:34:www:/var/www:/bin/false'].join('\n');
const GROUP = ['root:x:0:', 'www:x:34:', 'adm:x:4:www', 'tty:x:5:', 'dialout:x:20:other,www'].join('\n');

/** /bin and /lib are links as with merged /usr; `extra` comes on top. */
export function root(extra: readonly TreeEntry[] = []): EntryView {
  return rootView([
    symlink('/bin', 'usr/bin'),
    file('/usr/bin/webd', '#!', 0o755),
    file('/usr/bin/dash', '', 0o755),
    symlink('/usr/bin/sh', 'dash'),
    file('/usr/share/readme', 'text', 0o644),
    file('/etc/passwd', `${PASSWD}\n`, 0o644),
    file('/etc/group', `${GROUP}\n`, 0o644),
    ...['/proc', '/sys', '/dev', '/run', '/tmp', '/etc', '/var'].map(directory),
    ...extra,
  ]);
}

const OWNER = { uid: 0, gid: 0, component: 'service:web' };

export function file(path: string, text: string, mode: number): TreeEntry {
  return { ...OWNER, type: 'file', path, mode, source: { kind: 'bytes', bytes: Buffer.from(text) } };
}

export function directory(path: string): TreeEntry {
  return { ...OWNER, type: 'directory', path, mode: 0o755 };
}

export function symlink(path: string, target: string): TreeEntry {
  return { ...OWNER, type: 'symlink', path, target, mode: 0o777 };
}
