/** All documents of a source to one typed configuration, every fault at once, and what became of every key. Nothing in them makes it throw or hang. */
import type { Diagnostic } from '../../../spec/diagnostic.ts';
import { faultAt, mapNode, type Located, type LocatedEntry, type LocatedMap } from '../../../spec/located.ts';
import type { KeyStatus } from '../../../spec/provisioning.ts';
import { nearest } from '../../../spec/suggest.ts';
import { parseYaml } from '../../../spec/yaml.ts';
import {
  EMPTY_CONFIG,
  type At,
  type Bytes,
  type FileEntry,
  type MachineConfig,
  type ScriptEntry,
} from '../config.ts';
import { asBytes, type Packed } from '../keys/content.ts';
import type { Draft, Key } from '../keys/key.ts';
import { FOREIGN_KEYS, REJECTED_KEYS } from '../keys/rejected.ts';
import { FAULT_LIMIT, startReader } from '../keys/reader.ts';
import { isNothing, truth } from '../keys/shape.ts';
import { keyNamed, KEYS } from '../keys/table.ts';
import { DOCUMENT_LIMITS } from './limits.ts';
import { mergeDocuments } from './merge.ts';
import { splitDocuments } from './parts.ts';
import { lineAt, sourceOf, type Context, type Part, type Splitting } from './splitting.ts';

export type { Context } from './splitting.ts';

export interface Inputs {
  readonly userData?: Uint8Array;
  /** The platform's own, laid under user-data. */
  readonly vendorData?: Uint8Array;
}

export interface ReadConfig {
  readonly config: MachineConfig;
  /** One for each key in each document, in their order; `pending` is for a plan to settle. */
  readonly keys: readonly KeyStatus[];
  /** With source lines: those can hold secrets, so a machine shows messages and places alone. */
  readonly diagnostics: readonly Diagnostic[];
}

interface Document {
  readonly part: Part;
  readonly root: LocatedMap;
}

/** `userData` alone may be a name for messages, as on a workstation. */
export async function readDocuments(
  inputs: Inputs,
  context: Context,
  names: { readonly userData: string; readonly vendorData: string } = {
    userData: 'user-data',
    vendorData: 'vendor-data',
  },
): Promise<ReadConfig> {
  const user = await partsOf(inputs.userData, names.userData, context);
  const documents = user.parts.flatMap((part) => parsePart(part, user));
  const unwanted = documents.some(({ root }) => refusesVendorData(root));
  const vendor = await partsOf(unwanted ? undefined : inputs.vendorData, names.vendorData, context);
  const below = vendor.parts.flatMap((part) => parsePart(part, vendor));
  const diagnostics = [...vendor.diagnostics, ...user.diagnostics];
  const keys = [...vendor.keys, ...user.keys];
  if (unwanted && inputs.vendorData !== undefined) {
    const reason = "'vendor_data: {enabled: false}' leaves it out";
    keys.push({ key: 'document', state: 'ignored', file: names.vendorData, line: 1, reason });
  }
  const draft = emptyDraft();
  draft.scripts = scriptsOf([...vendor.parts, ...user.parts], keys);
  const all = [...below, ...documents];
  readKeys(all, draft, diagnostics, keys);
  await unpack(draft, context, vendor.unpackedBytes + user.unpackedBytes, diagnostics, keys);
  return { config: configOf(draft), keys: inOrder(keys), diagnostics: inOrder(diagnostics) };
}

/** By line within each document; documents as they came. */
function inOrder<T extends { readonly file: string; readonly line: number }>(
  entries: readonly T[],
): readonly T[] {
  const files = [...new Set(entries.map(({ file }) => file))];
  return [...entries].sort((a, b) => files.indexOf(a.file) - files.indexOf(b.file) || a.line - b.line);
}

async function partsOf(bytes: Uint8Array | undefined, name: string, context: Context): Promise<Splitting> {
  const splitting: Splitting = {
    context,
    parts: [],
    diagnostics: [],
    keys: [],
    count: 0,
    includes: 0,
    unpackedBytes: 0,
  };
  if (bytes !== undefined) await splitDocuments(splitting, bytes, name);
  return splitting;
}

/** A `#cloud-config` as a tree; none when it is empty, or faulty as a whole. */
function parsePart(part: Part, splitting: Splitting): Document[] {
  if (part.kind !== 'cloud-config' || isBlank(part.text)) return [];
  const parsed = parseYaml(part.name, part.name, part.text, {
    binary: true,
    lexemes: DOCUMENT_LIMITS.lexemes,
  });
  const found = parsed.diagnostics.map(withoutValues);
  splitting.diagnostics.push(...found);
  const failed = (line: number, reason: string): Document[] => {
    splitting.keys.push({ key: 'document', state: 'failed', file: part.name, line, reason });
    return [];
  };
  const first = found.find(({ severity }) => severity === 'error');
  if (parsed.root === undefined)
    return failed(first?.line ?? 1, first?.message ?? 'the document cannot be read');
  if (parsed.root.kind !== 'map') {
    const message = 'a #cloud-config is a mapping (key: value)';
    splitting.diagnostics.push(faultAt(parsed.root.at, 'document.mapping', message));
    return failed(parsed.root.at.line, message);
  }
  if (first !== undefined) failed(first.line, first.message);
  return [{ part, root: parsed.root }];
}

/** Comments, markers and white space alone. */
function isBlank(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(#.*)?$|^(---|\.\.\.)\s*$/.test(line));
}

/** An alias or a tag can be a password without its quotes. */
function withoutValues(diagnostic: Diagnostic): Diagnostic {
  if (diagnostic.code === 'yaml.alias')
    return {
      ...diagnostic,
      message: 'an alias without its anchor',
      hint: 'a text that begins with * needs quotes',
    };
  if (diagnostic.code === 'yaml.tag')
    return { ...diagnostic, message: 'an unknown tag', hint: 'a text that begins with ! needs quotes' };
  return diagnostic;
}

function refusesVendorData(root: LocatedMap): boolean {
  const setting = root.entries.get('vendor_data')?.value;
  const enabled = setting?.kind === 'map' ? setting.entries.get('enabled')?.value : undefined;
  return enabled?.kind === 'scalar' && truth(enabled) === false;
}

/** Each with a name of its own; pending for a plan. */
function scriptsOf(parts: readonly Part[], keys: KeyStatus[]): readonly ScriptEntry[] {
  const names = new Set<string>();
  return parts.flatMap((part, index): ScriptEntry[] => {
    if (part.kind !== 'script') return [];
    const wanted = (part.fileName ?? '')
      .replace(/[^\w.-]+/g, '_')
      .replace(/^[.-]+/, '')
      .slice(0, 64);
    const base = wanted === '' ? `part-${String(index + 1).padStart(3, '0')}` : wanted;
    let name = base;
    for (let number = 2; names.has(name); number += 1) name = `${base}-${number}`;
    names.add(name);
    keys.push({ key: `script ${name}`, state: 'pending', file: part.name, line: 1, reason: null });
    const at = { part: part.name, line: 1, column: 1 };
    return [{ at, name, when: part.when ?? 'instance', text: { value: part.text, at, secret: true } }];
  });
}

function readKeys(
  documents: readonly Document[],
  draft: Draft,
  diagnostics: Diagnostic[],
  keys: KeyStatus[],
): void {
  const known: (readonly [Key, LocatedEntry])[] = [];
  let merged: LocatedMap | undefined;
  for (const { root } of documents) {
    const own = new Map<string, LocatedEntry>();
    let unknown = 0;
    for (const [name, entry] of root.entries) {
      const key = keyNamed(name);
      if (key === undefined) {
        unknown += 1;
        if (unknown <= FAULT_LIMIT) unknownKey(name, entry, diagnostics, keys);
        else if (unknown === FAULT_LIMIT + 1) manyUnknownKeys(entry, diagnostics, keys);
      } else if (own.has(key.name)) {
        const reason = `'${name}' and '${key.name}' are the same key`;
        diagnostics.push(faultAt(entry.keyAt, 'config.twice', reason));
        keys.push({
          key: name,
          state: 'failed',
          file: entry.keyAt.source.display,
          line: entry.keyAt.line,
          reason,
        });
      } else {
        own.set(key.name, entry);
        known.push([key, entry]);
      }
    }
    const sorted = mapNode(root.at, own);
    merged = merged === undefined ? sorted : mergeDocuments(merged, sorted, diagnostics);
  }
  const outcomes = new Map<Key, Outcome>();
  for (const key of KEYS) {
    const entry = merged?.entries.get(key.name);
    if (entry !== undefined) outcomes.set(key, readKey(key, entry, draft, diagnostics, keys));
  }
  for (const [key, entry] of known) {
    const { state, reason } = outcomes.get(key) ?? { state: 'pending', reason: null };
    keys.push({ key: key.name, state, file: entry.keyAt.source.display, line: entry.keyAt.line, reason });
  }
}

type Outcome = Pick<KeyStatus, 'state' | 'reason'>;

function readKey(
  key: Key,
  entry: LocatedEntry,
  draft: Draft,
  diagnostics: Diagnostic[],
  keys: KeyStatus[],
): Outcome {
  const reader = startReader([key.name], key.unquoted === true);
  if (isNothing(entry.value) && key.bare !== true) {
    const message = `nothing stands after '${key.name}'`;
    diagnostics.push(faultAt(entry.keyAt, 'config.empty', message, undefined, 'warning'));
    return { state: 'ignored', reason: message };
  }
  const value: Located = isNothing(entry.value) ? mapNode(entry.keyAt, new Map()) : entry.value;
  key.read(value, reader, draft);
  diagnostics.push(...reader.diagnostics);
  keys.push(...reader.keys.filter((status) => status.key !== key.name));
  const first = reader.diagnostics.find(({ severity }) => severity === 'error');
  if (first !== undefined) {
    const { errors } = reader.tally;
    const more = errors === 1 ? '' : `, and ${errors - 1} more`;
    return { state: 'failed', reason: `line ${first.line}: ${first.message}${more}` };
  }
  const said = reader.keys.find((status) => status.key === key.name);
  return said === undefined ? { state: 'pending', reason: null } : { state: said.state, reason: said.reason };
}

/** Nothing is ignored in silence: a key of a mutable host, of another system, or of nobody. */
function unknownKey(
  name: string,
  { keyAt }: LocatedEntry,
  diagnostics: Diagnostic[],
  keys: KeyStatus[],
): void {
  const instead = REJECTED_KEYS.get(name) ?? FOREIGN_KEYS.get(name);
  const meant = nearest(name, [...KEYS.filter(({ group }) => group !== 'known').map((key) => key.name)]);
  const [code, message, hint] =
    instead !== undefined
      ? ['config.unsupported', `'${name}' is not supported by Slipway`, instead]
      : ['config.unknown-key', `'${name}' is no key of a #cloud-config`, meant && `did you mean '${meant}'?`];
  diagnostics.push(faultAt(keyAt, code, message, hint));
  const reason = instead === undefined ? message : `${message}: ${instead}`;
  keys.push({ key: name, state: 'failed', file: keyAt.source.display, line: keyAt.line, reason });
}

function manyUnknownKeys({ keyAt }: LocatedEntry, diagnostics: Diagnostic[], keys: KeyStatus[]): void {
  const message = 'there are more keys that nobody knows: this is something else than a #cloud-config';
  diagnostics.push(faultAt(keyAt, 'config.unknown-key', message));
  keys.push({
    key: 'document',
    state: 'failed',
    file: keyAt.source.display,
    line: keyAt.line,
    reason: message,
  });
}

/** Puts what gzip packed in the place of its stand-ins. */
async function unpack(
  draft: Draft,
  context: Context,
  spentBytes: number,
  diagnostics: Diagnostic[],
  keys: KeyStatus[],
): Promise<void> {
  const unpacked = new Map<At<Bytes>, At<Bytes> | undefined>();
  let spent = spentBytes;
  for (const [place, packed] of draft.packed) {
    const limit = Math.min(DOCUMENT_LIMITS.bytes, DOCUMENT_LIMITS.unpackedBytes - spent);
    const bytes = limit > 0 ? await context.inflate(packed.bytes, limit) : undefined;
    if (bytes === undefined || bytes.length > limit) {
      diagnostics.push(unpackable(packed));
      unpacked.set(place, undefined);
      failKey(packed, keys);
    } else {
      spent += bytes.length;
      unpacked.set(place, { ...place, value: asBytes(bytes) });
    }
  }
  const settled = (content: At<Bytes>): At<Bytes> | undefined =>
    unpacked.has(content) ? unpacked.get(content) : content;
  draft.files = draft.files.flatMap((file): FileEntry[] => {
    const content = settled(file.content);
    return content === undefined ? [] : [{ ...file, content }];
  });
  const seed = draft.randomSeed?.data;
  if (draft.randomSeed === undefined || seed === undefined) return;
  const data = settled(seed);
  if (data === undefined) delete draft.randomSeed;
  else draft.randomSeed = { ...draft.randomSeed, data };
}

const DAMAGED = 'the content cannot be unpacked: it is damaged, or larger than 1 MiB';

function unpackable({ at }: Packed): Diagnostic {
  const place = lineAt(sourceOf(at.source.display, ''), at.line);
  return faultAt({ ...place, column: at.column }, 'config.content', DAMAGED);
}

function failKey({ at }: Packed, keys: KeyStatus[]): void {
  for (const [index, status] of keys.entries()) {
    if (!['write_files', 'random_seed'].includes(status.key) || status.file !== at.source.display) continue;
    if (status.state === 'pending')
      keys[index] = { ...status, state: 'failed', reason: `line ${at.line}: ${DAMAGED}` };
  }
}

function emptyDraft(): Draft {
  return { ...EMPTY_CONFIG, packed: new Map() };
}

function configOf(draft: Draft): MachineConfig {
  const {
    packed: _packed,
    mountDefaults: _defaults,
    managesResolvConf: _manages,
    vendorData: _vendor,
    ...config
  } = draft;
  return config;
}
