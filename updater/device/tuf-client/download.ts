/** TUF 5.6.7 and 5.7: finds who says what a target is, and fetches it. */
import type { TargetFile } from '@tufjs/models';
import { own } from '../../../spec/own.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import { refreshTargets, type MetadataFetch } from '../tuf/refresh.ts';
import type { Session } from '../tuf/session.ts';
import { joinUrl, type Transfer } from './fetch.ts';

export interface Download {
  readonly fetch: MetadataFetch;
  readonly transfer: Transfer;
  readonly name: string;
  readonly targetDir: string;
  readonly targetBaseUrl: string;
}

/** Digests that a program makes. */
const PROGRAMS: Readonly<Record<string, string>> = {
  sha256: 'sha256sum',
  sha384: 'sha384sum',
  sha512: 'sha512sum',
};

export async function downloadTarget(
  system: System,
  session: Session,
  { fetch, transfer, name, targetDir, targetBaseUrl }: Download,
): Promise<void> {
  const target = await findTarget(session, name, fetch);
  if (target === undefined) throw new Error(`nobody signed a target ${name}`);
  const path = `${targetDir}/${encodeURIComponent(name)}`;
  if (await isTarget(system, path, target)) return;
  const temporary = `${path}.${system.pid}.part`;
  try {
    const url = joinUrl(targetBaseUrl, targetUrlPath(session, target));
    if (!(await transfer(url, temporary, target.length))) throw new Error(`${url} is missing`);
    // TUF 5.7.3
    if (!(await isTarget(system, temporary, target))) throw new Error(`${url} is not what was signed`);
    if (!system.rename(temporary, path)) throw new Error(`cannot write ${path}`);
  } finally {
    system.remove(temporary);
  }
}

/** TUF 5.6.7: depth first, in order of appearance, each role once, and only on the word of the one that delegates to it. */
async function findTarget(
  session: Session,
  name: string,
  fetch: MetadataFetch,
): Promise<TargetFile | undefined> {
  const { trusted, limits } = session;
  const open = [{ role: 'targets', delegator: 'root' }];
  const visited = new Set<string>();
  while (visited.size <= limits.delegatedRoles) {
    const next = open.pop();
    if (next === undefined) return undefined;
    if (visited.has(next.role)) continue;
    await believeRole(session, next.role, next.delegator, fetch);
    const signed = trusted.store.getRole(next.role)?.signed;
    const target = own(signed?.targets ?? {}, name);
    if (target !== undefined) return target;
    visited.add(next.role);
    const children: typeof open = [];
    for (const { role, terminating } of signed?.delegations?.rolesForTarget(name) ?? []) {
      children.push({ role, delegator: next.role });
      if (!terminating) continue;
      open.length = 0;
      break;
    }
    open.push(...children.reverse());
  }
  return undefined;
}

async function believeRole(
  session: Session,
  role: string,
  delegator: string,
  fetch: MetadataFetch,
): Promise<void> {
  const { store } = session.trusted;
  const known = store.getRole(role);
  if (known === undefined) {
    await refreshTargets(session, role, delegator, session.limits.delegatedBytes, fetch);
    return;
  }
  // Two roles may delegate to one name and mean other keys: what one vouched for, the other has not.
  const by = delegator === 'root' ? store.root : store.getRole(delegator);
  by?.verifyDelegate(role, known);
}

/** TUF 6.2: with consistent snapshots, `<directory>/<digest>.<name>`. */
function targetUrlPath({ trusted }: Session, target: TargetFile): string {
  const parts = target.path.split('/').map(encodeURIComponent);
  const base = parts.pop() ?? '';
  const digest = Object.values(target.hashes)[0] ?? '';
  return [...parts, trusted.store.root.signed.consistentSnapshot ? `${digest}.${base}` : base].join('/');
}

async function isTarget(system: System, path: string, { length, hashes }: TargetFile): Promise<boolean> {
  const status = system.linkStatus(path);
  if (status?.kind !== 'file' || status.sizeBytes !== length) return false;
  const wanted = Object.entries(hashes);
  if (wanted.length === 0) return false;
  for (const [algorithm, expected] of wanted) {
    const program = own(PROGRAMS, algorithm);
    if (program === undefined) throw new Error(`nobody here makes digests of the kind ${algorithm}`);
    const { stdout } = await runProgram(system, [program], { stdinPath: path });
    if (!system.decode(stdout).startsWith(`${expected} `)) return false;
  }
  return true;
}
