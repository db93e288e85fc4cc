/** `write_files`. */
import { concatenate } from '../../../system/bytes.ts';
import type { System } from '../../../system/system.ts';
import { hostPath } from '../plan/paths.ts';
import type { FileAction, FilePart } from '../plan/step.ts';
import type { HttpClient } from '../source/http/client.ts';
import { failed, type StepResult } from './result.ts';
import { bytesOf, writeFiles, type WantedFile } from './write.ts';

/** One result for each. Without a network, what is fetched waits. */
export async function applyFiles(
  system: System,
  actions: readonly FileAction[],
  http: HttpClient | undefined,
): Promise<readonly StepResult[]> {
  const results: (StepResult | undefined)[] = [];
  const wanted: { index: number; file: WantedFile; remark: string | null }[] = [];
  for (const [index, action] of actions.entries()) {
    // Also of a plan that was kept: what may be written where does not change with it.
    const allowed = hostPath(action.path);
    if ('problem' in allowed) {
      results[index] = failed(`${action.path}: ${allowed.problem}`);
      continue;
    }
    const content = await contentOf(system, action, http);
    if ('problem' in content) results[index] = failed(`${action.path}: ${content.problem}`);
    else wanted.push({ index, remark: content.remark, file: wantedFile(action, content.bytes) });
  }
  const written = await writeFiles(
    system,
    wanted.map(({ file }) => file),
  );
  for (const [place, { index, remark }] of wanted.entries()) {
    const result = written[place]!;
    results[index] = result.state === 'applied' && remark !== null ? { ...result, reason: remark } : result;
  }
  return results.map((result) => result!);
}

function wantedFile(action: FileAction, bytes: Uint8Array): WantedFile {
  const { path, mode, uid, gid, parents, append } = action;
  return {
    path,
    mode,
    uid,
    gid,
    parents,
    reads: append,
    content: (old) => {
      if (!append || old === undefined) return bytes;
      // Applied before: it stands there already.
      return includes(old, bytes) ? old : concatenate([old, bytes]);
    },
  };
}

type Content = { readonly bytes: Uint8Array; readonly remark: string | null } | { readonly problem: string };

async function contentOf(system: System, action: FileAction, http: HttpClient | undefined): Promise<Content> {
  const chunks: Uint8Array[] = [];
  let remark: string | null = null;
  for (const part of action.parts) {
    const own = bytesOf(system, part.content);
    const fetched = part.source === null ? own : await fetchPart(part, http);
    if (fetched instanceof Uint8Array) chunks.push(fetched);
    else if (own.length > 0) {
      remark = `${action.path}: its source could not be had (${fetched.problem}): \`content\` stands in`;
      chunks.push(own);
    } else return fetched;
  }
  return { bytes: concatenate(chunks), remark };
}

async function fetchPart(
  { source }: FilePart,
  http: HttpClient | undefined,
): Promise<Uint8Array | { readonly problem: string }> {
  if (http === undefined || source === null) return { problem: 'there is no network' };
  const headers = Object.fromEntries(source.headers.map(({ name, value }) => [name, value]));
  try {
    const found =
      source.headers.length === 0 ? await http.follow(source.url) : await http.get(source.url, headers);
    return found ?? { problem: 'the server has no such file' };
  } catch {
    // The address may hold a secret: what went wrong is said without it.
    return { problem: 'its source cannot be fetched' };
  }
}

function includes(whole: Uint8Array, part: Uint8Array): boolean {
  if (part.length === 0) return true;
  const [first = 0] = part;
  for (let at = whole.indexOf(first); at >= 0; at = whole.indexOf(first, at + 1))
    if (part.every((byte, index) => whole[at + index] === byte)) return true;
  return false;
}
