/** What the headers of a part say beside its type: how it wants to be merged, and whom it is for. */
import type { SourceFile } from '../../../spec/located.ts';
import { printable, type Context, type Splitting } from './splitting.ts';

/** Ways of merging that MIME headers ask for, and which of the machines that were launched together a part is for. */
export function isForThisMachine(
  splitting: Splitting,
  source: SourceFile,
  headers: ReadonlyMap<string, string>,
): boolean {
  const say = (key: string, state: 'ignored' | 'applied', reason: string | null): void =>
    void splitting.keys.push({ key, state, file: source.display, line: 1, reason });
  for (const name of ['merge-type', 'x-merge-type'])
    if (headers.has(name)) say(name, 'ignored', 'there is one rule for merging documents');
  const wanted = headers.get('launch-index');
  if (wanted === undefined) return true;
  const own = launchIndex(splitting.context.variables);
  if (own === undefined)
    say('launch-index', 'ignored', 'nobody says which machine of its launch this one is');
  else if (own === wanted) say('launch-index', 'applied', null);
  else
    say(
      'launch-index',
      'ignored',
      `the part is for machine ${printable(wanted)} of the launch, and this is ${own}`,
    );
  return own === undefined || own === wanted;
}

/** EC2's name for it, and that of cloud-init's other sources. */
function launchIndex(variables: Context['variables']): string | undefined {
  const ds = variables?.['ds'] as { readonly meta_data?: Readonly<Record<string, unknown>> } | undefined;
  const found = ['ami-launch-index', 'launch-index', 'launch_index'].map((name) => ds?.meta_data?.[name]);
  const index = found.find((value) => typeof value === 'number' || typeof value === 'string');
  return index === undefined ? undefined : String(index);
}
