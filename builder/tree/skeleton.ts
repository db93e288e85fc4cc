/** Directories and links that every root has: no maintainer script runs, so the builder makes each of them. */
import type { TreeEntry } from './entry.ts';

const DIRECTORIES: Readonly<Record<string, number>> = {
  '/dev': 0o755,
  '/etc': 0o755,
  '/proc': 0o555,
  '/root': 0o700,
  '/run': 0o755,
  '/sys': 0o555,
  '/tmp': 0o1777,
  '/usr': 0o755,
  '/usr/bin': 0o755,
  '/usr/lib': 0o755,
  '/usr/lib64': 0o755,
  '/usr/sbin': 0o755,
  '/var': 0o755,
};

const LINKS: Readonly<Record<string, string>> = {
  '/bin': 'usr/bin',
  '/lib': 'usr/lib',
  '/lib64': 'usr/lib64',
  '/sbin': 'usr/sbin',
};

/** Merged /usr and the mount points of any Linux root. */
export function skeleton(component: string): TreeEntry[] {
  const owned = { uid: 0, gid: 0, component };
  return [
    ...Object.entries(DIRECTORIES).map(([path, mode]): TreeEntry => ({
      ...owned,
      path,
      mode,
      type: 'directory',
    })),
    ...Object.entries(LINKS).map(([path, target]): TreeEntry => ({
      ...owned,
      path,
      mode: 0o777,
      type: 'symlink',
      target,
    })),
  ];
}

/** A small file made by the builder. */
export function textFile(path: string, content: string, component: string, mode = 0o644): TreeEntry {
  return {
    path,
    mode,
    uid: 0,
    gid: 0,
    component,
    type: 'file',
    source: { kind: 'bytes', bytes: Buffer.from(content) },
  };
}

/** The accounts that a container has unless its service brings its own /etc/passwd. */
export function containerAccounts(component: string): TreeEntry[] {
  return [
    textFile(
      '/etc/passwd',
      'root:x:0:0:root:/root:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
      component,
    ),
    textFile('/etc/group', 'root:x:0:\nnogroup:x:65534:\n', component),
    textFile('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n', component),
  ];
}
