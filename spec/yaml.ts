/** One YAML file to a located tree, with every fault that YAML itself knows. Nothing a file holds makes it throw or hang. */
import {
  Composer,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type CST,
  type Document,
  type Node,
  type Pair,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import type { Diagnostic } from './diagnostic.ts';
import {
  faultAt,
  listNode,
  mapNode,
  type Located,
  type LocatedEntry,
  type MergeTag,
  type Position,
  type SourceFile,
} from './located.ts';
import { own } from './own.ts';

/** Limits that no honest file meets; beyond them a file is refused, not read slowly. */
export const YAML_LIMITS = { fileBytes: 256 * 1024, nodes: 50_000, depth: 40, faults: 50 } as const;

export interface YamlResult {
  readonly source: SourceFile;
  /** `undefined` when the text is not YAML, or empty. */
  readonly root?: Located;
  readonly diagnostics: readonly Diagnostic[];
}

interface Converter {
  readonly source: SourceFile;
  /** By name, the last node with that anchor so far: conversion runs in the order of the text. */
  readonly anchors: Map<string, Node>;
  readonly diagnostics: Diagnostic[];
  readonly at: (range: readonly number[] | null | undefined) => Position;
  /** Anchors resolved already, so that a thousand aliases cost one conversion. */
  readonly resolved: Map<Node, Located>;
  readonly open: Set<Node>;
  nodes: number;
}

/** The text as it stands: what it means is for its reader. */
const BINARY = { tag: 'tag:yaml.org,2002:binary', resolve: (text: string): string => text };

const MERGE_TAGS: Readonly<Record<string, MergeTag>> = { '!reset': 'reset', '!override': 'override' };

export interface YamlOptions {
  /** `!!binary` is heard: its text stays as written. */
  readonly binary?: true;
  /** How many words and marks it may hold: what bounds the memory of a machine that reads it. */
  readonly lexemes?: number;
  /** What to say of a file without any value. */
  readonly emptyHint?: string;
}

/** Parses YAML 1.2 (a UTF-8 text). `display` is the file name for messages. */
export function parseYaml(
  path: string,
  display: string,
  content: Uint8Array | string,
  options: YamlOptions = {},
): YamlResult {
  const diagnostics: Diagnostic[] = [];
  const decoded = decode(content);
  const text = decoded.text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
  const source: SourceFile = { path, display, lines: text.split('\n') };
  const start: Position = { source, line: 1, column: 1, length: 1 };
  const refuse = (message: string, hint?: string): YamlResult => ({
    source,
    diagnostics: [...diagnostics, faultAt(start, 'yaml.refused', message, hint)],
  });
  if (!decoded.valid) return refuse('the file is not UTF-8 text');
  if (text.length > YAML_LIMITS.fileBytes) return refuse('the file is larger than 256 KiB');

  const lineCounter = new LineCounter();
  const tokens = parseTokens(text, lineCounter, options.lexemes ?? Infinity);
  if (tokens === undefined)
    return refuse('the file holds too many values', 'long content after `|` counts as one value');
  const directive = tokens.find(({ type }) => type === 'directive');
  if (directive !== undefined) {
    // `%YAML 1.1` would give the values below another meaning.
    const line = text.slice(0, directive.offset).split('\n').length;
    const message = 'a line that begins with % is a directive of YAML, which is not supported: remove it';
    return {
      source,
      diagnostics: [faultAt({ source, line, column: 1, length: 1 }, 'yaml.directive', message)],
    };
  }
  // The composer recurses, the parser does not: so the nesting is known before anything recurses.
  if (nestsDeeper(tokens, YAML_LIMITS.depth)) return refuse('the file is nested too deeply');
  const composer = new Composer({
    prettyErrors: false,
    uniqueKeys: false,
    logLevel: 'silent',
    ...(options.binary === true ? { customTags: [BINARY] } : {}),
  });
  const [document, second] = composer.compose(tokens, true, text.length) as Iterable<Document.Parsed>;
  if (document === undefined) return refuse('the file is empty');
  const at = (range: readonly number[] | null | undefined): Position => {
    const [from = 0, to = from + 1] = range ?? [];
    const { line, col } = lineCounter.linePos(from);
    const lineText = source.lines[line - 1] ?? '';
    return {
      source,
      line: Math.max(1, line),
      column: Math.max(1, col),
      length: Math.max(1, Math.min(to - from, lineText.length - col + 1)),
    };
  };
  if (second !== undefined) {
    const message = 'a second YAML document begins here';
    const position = at([tokens.filter(({ type }) => type === 'document')[1]?.offset ?? second.range[0]]);
    diagnostics.push(
      faultAt(position, 'yaml.documents', message, 'one file holds one document: remove the `---`'),
    );
  }
  for (const fault of document.errors.slice(0, YAML_LIMITS.faults)) {
    diagnostics.push(faultAt(at(fault.pos), 'yaml.syntax', ...yamlMessage(fault.code, fault.message)));
  }
  for (const warning of document.warnings) {
    if (Object.keys(MERGE_TAGS).some((tag) => warning.message.includes(tag))) continue;
    diagnostics.push(faultAt(at(warning.pos), 'yaml.tag', warning.message));
  }
  if (document.errors.length > 0 || second !== undefined) return { source, diagnostics };
  if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
    return refuse(
      'the file is empty',
      options.emptyHint ?? 'an image definition has at least `name:`, a service file `services:`',
    );
  }
  const converter: Converter = {
    source,
    anchors: new Map(),
    diagnostics,
    at,
    resolved: new Map(),
    open: new Set(),
    nodes: 0,
  };
  const root = convert(document.contents, converter, 0);
  if (root.size > YAML_LIMITS.nodes)
    return refuse('the file holds too many values once its aliases are written out');
  // A key that stands twice leaves the rest readable; anything else makes what follows guesswork.
  const readable = diagnostics.every(({ code }) => code === 'yaml.duplicate-key');
  return readable ? { source, root, diagnostics } : { source, diagnostics };
}

/** As `Parser.parse` does, but stops before a long file has become many objects. */
function parseTokens(text: string, lines: LineCounter, limit: number): CST.Token[] | undefined {
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  let count = 0;
  lines.addNewLine(0);
  for (const lexeme of new Lexer().lex(text)) {
    count += 1;
    if (count > limit) return undefined;
    tokens.push(...parser.next(lexeme));
  }
  tokens.push(...parser.end());
  return tokens;
}

function convert(node: Node | null, c: Converter, depth: number): Located {
  const at = c.at(node?.range);
  const nothing: Located = { kind: 'scalar', at, value: null, text: '', octal: false, size: 1 };
  c.nodes += 1;
  if (node === null || c.nodes > YAML_LIMITS.nodes || depth > YAML_LIMITS.depth) return nothing;
  if (isAlias(node)) {
    const target = c.anchors.get(node.source);
    if (target === undefined) {
      c.diagnostics.push(faultAt(at, 'yaml.alias', `no anchor &${node.source} comes before this alias`));
      return nothing;
    }
    if (c.open.has(target)) {
      c.diagnostics.push(faultAt(at, 'yaml.alias', `the anchor &${node.source} holds itself`));
      return nothing;
    }
    return c.resolved.get(target) ?? convert(target, c, depth + 1);
  }
  if (node.anchor !== undefined) c.anchors.set(node.anchor, node);
  c.open.add(node);
  const located = isMap(node)
    ? convertMap(node, c, depth)
    : isSeq(node)
      ? convertList(node, c, depth)
      : isScalar(node)
        ? convertScalar(node, c)
        : nothing;
  c.open.delete(node);
  c.resolved.set(node, located);
  return located;
}

function convertMap(node: YAMLMap, c: Converter, depth: number): Located {
  const merged = new Map<string, LocatedEntry>();
  const entries = new Map<string, LocatedEntry>();
  for (const pair of node.items as Pair<Node | null, Node | null>[]) {
    const key = pair.key;
    const keyAt = c.at(key?.range ?? node.range);
    if (isScalar(key) && key.source === '<<' && key.type === 'PLAIN') {
      const value = convert(pair.value, c, depth + 1);
      for (const base of value.kind === 'list' ? value.items : [value]) {
        if (base.kind !== 'map') {
          c.diagnostics.push(faultAt(keyAt, 'yaml.merge', '`<<` merges a mapping, or a list of mappings'));
          continue;
        }
        for (const [name, entry] of base.entries) if (!merged.has(name)) merged.set(name, entry);
      }
      continue;
    }
    if (!isScalar(key) || key.value === null) {
      c.diagnostics.push(faultAt(keyAt, 'yaml.key', 'a key is one word or a quoted text'));
      continue;
    }
    const name = typeof key.value === 'string' ? key.value : (key.source ?? '');
    const earlier = entries.get(name);
    if (earlier !== undefined) {
      c.diagnostics.push(
        faultAt(
          keyAt,
          'yaml.duplicate-key',
          `the key '${name}' stands here a second time`,
          `the first is in line ${earlier.keyAt.line}`,
        ),
      );
      continue;
    }
    entries.set(name, {
      keyAt,
      value: pair.value === null ? nullAt(keyAt) : convert(pair.value, c, depth + 1),
    });
  }
  for (const [name, entry] of merged) if (!entries.has(name)) entries.set(name, entry);
  return mapNode(c.at(node.range), entries, own(MERGE_TAGS, node.tag ?? ''));
}

function convertList(node: YAMLSeq, c: Converter, depth: number): Located {
  const items = (node.items as (Node | null)[]).map((item) => convert(item, c, depth + 1));
  return listNode(c.at(node.range), items, own(MERGE_TAGS, node.tag ?? ''));
}

function convertScalar(node: Scalar, c: Converter): Located {
  const at = c.at(node.range?.slice(0, 2));
  const tag = own(MERGE_TAGS, node.tag ?? '');
  const { value } = node;
  if (typeof value === 'string' && value.includes('\0')) {
    c.diagnostics.push(
      faultAt(at, 'yaml.nul', 'a text with a NUL character: no file name, argument or variable can hold one'),
    );
  }
  const plain =
    typeof value === 'string' || typeof value === 'boolean' || value === null
      ? value
      : typeof value === 'bigint'
        ? Number(value)
        : typeof value === 'number'
          ? value
          : (node.source ?? '');
  return {
    kind: 'scalar',
    at,
    value: plain,
    text: typeof plain === 'string' ? plain : (node.source ?? String(plain)),
    octal: node.format === 'OCT',
    size: 1,
    ...(tag === undefined ? {} : { tag }),
    ...(node.tag === BINARY.tag ? { binary: true as const } : {}),
  };
}

function nullAt(at: Position): Located {
  return { kind: 'scalar', at, value: null, text: '', octal: false, size: 1 };
}

function nestsDeeper(tokens: readonly CST.Token[], limit: number): boolean {
  const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > limit) return true;
    if (token.type === 'document' && token.value !== undefined) open.push({ token: token.value, depth });
    if (!('items' in token)) continue;
    for (const item of token.items) {
      if (item.key) open.push({ token: item.key, depth: depth + 1 });
      if (item.value) open.push({ token: item.value, depth: depth + 1 });
    }
  }
  return false;
}

function decode(content: Uint8Array | string): { text: string; valid: boolean } {
  if (typeof content === 'string') return { text: content, valid: true };
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content), valid: true };
  } catch {
    return { text: new TextDecoder('utf-8').decode(content), valid: false };
  }
}

function yamlMessage(code: string, message: string): [string, string?] {
  switch (code) {
    case 'TAB_AS_INDENT':
      return ['YAML allows no tab as indentation', 'indent with spaces'];
    default:
      return [message];
  }
}
