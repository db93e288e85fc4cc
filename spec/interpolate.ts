/**
 * Compose replaces `$NAME` and `${NAME}` by variables of the workstation. An image must not depend on these, so they are an error;
 * `$$` is a dollar, as in Compose. Keys under `x-` are not Compose's: there a dollar is a dollar.
 */
import type { Diagnostic } from './diagnostic.ts';
import { faultAt, listNode, mapNode, type Located, type LocatedEntry } from './located.ts';

const HINT = 'an image never depends on variables of the workstation; for a dollar sign write $$';

export function resolveDollars(node: Located, diagnostics: Diagnostic[]): Located {
  // An alias is one node at several places: it is resolved once, so that its faults are told once.
  const done = new Map<Located, Located>();
  const visit = (current: Located): Located => {
    const earlier = done.get(current);
    if (earlier !== undefined) return earlier;
    const resolved = resolveNode(current, visit, diagnostics);
    done.set(current, resolved);
    return resolved;
  };
  return visit(node);
}

function resolveNode(node: Located, visit: (node: Located) => Located, diagnostics: Diagnostic[]): Located {
  if (node.kind === 'list') return listNode(node.at, node.items.map(visit), node.tag);
  if (node.kind === 'map') {
    const entries = new Map<string, LocatedEntry>();
    for (const [key, entry] of node.entries) {
      entries.set(key, key.startsWith('x-') ? entry : { ...entry, value: visit(entry.value) });
    }
    return mapNode(node.at, entries, node.tag);
  }
  if (typeof node.value !== 'string' || !node.value.includes('$')) return node;
  const variable = /(?<!\$)(?:\$\$)*(\$\{[^}]*\}?|\$[A-Za-z_]\w*)/.exec(node.value)?.[1];
  if (variable !== undefined) {
    diagnostics.push(faultAt(node.at, 'compose.variable', `the variable ${variable} is not replaced`, HINT));
  }
  const value = node.value.replaceAll('$$', '$');
  return { ...node, value, text: value };
}
