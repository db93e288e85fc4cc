/** The bytes of a source to its documents: unpacked, taken apart, fetched, named. Formats as in cloud-init's user-data. */
import { faultAt, type LocatedMap, type SourceFile } from '../../../spec/located.ts';
import { parseYaml } from '../../../spec/yaml.ts';
import { decodeUtf8, encodeUtf8 } from '../../../system/utf8.ts';
import { headerLine, kindOfHeader, kindOfType, recognise, UNHEARD, type Kind } from './header.ts';
import { DOCUMENT_LIMITS } from './limits.ts';
import { decodeBody, isMime, parseMessage, splitBody } from './mime.ts';
import { isForThisMachine } from './part-headers.ts';
import { lineAt, printable, refuse, sourceOf, type Part, type Splitting } from './splitting.ts';
import { renderTemplate } from './template.ts';

/** What the surroundings of a document say about it. */
interface Given {
  readonly name: string;
  readonly depth: number;
  /** A MIME type, where it has one. */
  readonly type?: string;
  readonly fileName?: string;
}

/** Adds all documents in these bytes to the splitting. */
export async function splitDocuments(splitting: Splitting, bytes: Uint8Array, name: string): Promise<void> {
  await split(splitting, bytes, { name, depth: 0 });
}

async function split(splitting: Splitting, bytes: Uint8Array, given: Given): Promise<void> {
  splitting.count += 1;
  const none = sourceOf(given.name, '');
  if (given.depth > DOCUMENT_LIMITS.depth)
    return refuse(splitting, none, 1, 'depth', 'documents lie too deep in each other');
  if (splitting.count > DOCUMENT_LIMITS.parts)
    return refuse(splitting, none, 1, 'count', 'there are too many documents');
  if (bytes.length > DOCUMENT_LIMITS.bytes)
    return refuse(splitting, none, 1, 'size', 'the document is larger than 1 MiB');
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    const limit = Math.min(DOCUMENT_LIMITS.bytes, DOCUMENT_LIMITS.unpackedBytes - splitting.unpackedBytes);
    const unpacked = await splitting.context.inflate(bytes, limit);
    if (unpacked === undefined || unpacked.length > limit)
      return refuse(
        splitting,
        none,
        1,
        'gzip',
        'the document cannot be unpacked: it is damaged, or larger than 1 MiB',
      );
    splitting.unpackedBytes += unpacked.length;
    return split(splitting, unpacked, { ...given, depth: given.depth + 1 });
  }
  const text = decodeText(bytes);
  if (text === undefined)
    return refuse(splitting, none, 1, 'text', 'the document is neither UTF-8 text nor gzip');
  await splitText(splitting, text, given);
}

async function splitText(splitting: Splitting, text: string, given: Given): Promise<void> {
  if (text.trim() === '') return;
  if (given.type?.startsWith('multipart/') === true || (given.type === undefined && isMime(text)))
    return splitMime(splitting, text, given);
  const source = sourceOf(given.name, text);
  const line = headerLine(source.lines);
  const byType = given.type === undefined ? 'by-header' : kindOfType(given.type);
  const byHeader = kindOfHeader(source.lines[line - 1] ?? '');
  if (byType === undefined) {
    return refuse(splitting, source, 1, 'type', `documents of the type '${given.type ?? ''}' are not known`);
  }
  const kind =
    byType === 'by-header'
      ? (byHeader ?? (given.type === 'text/x-shellscript' ? 'script' : undefined))
      : byType;
  if (kind === undefined) return refuseUnknown(splitting, source, line);
  // A template says in its second line what it is.
  if (byHeader === 'template' || kind === 'template') return splitTemplate(splitting, source, line, given);
  await splitKind(splitting, kind, source, line, given);
}

async function splitKind(
  splitting: Splitting,
  kind: Kind,
  source: SourceFile,
  line: number,
  given: Given,
): Promise<void> {
  const unheard = UNHEARD[kind];
  if (unheard !== undefined) {
    const [what, instead] = unheard;
    return refuse(splitting, source, line, 'unsupported', `${what} is not supported`, instead);
  }
  const text = source.lines.join('\n');
  if (kind === 'archive') return splitArchive(splitting, source, given);
  if (kind === 'include' || kind === 'include-once')
    return splitInclude(splitting, source, line, kind === 'include-once', given);
  const named = given.fileName === undefined ? {} : { fileName: given.fileName };
  if (kind === 'cloud-config') {
    splitting.parts.push({ name: given.name, kind, text, ...named });
    return;
  }
  if (line !== 1 || !text.startsWith('#!')) {
    return refuse(
      splitting,
      source,
      line,
      'script',
      "the script does not begin with '#!'",
      "name its interpreter: '#!/bin/sh'",
    );
  }
  const when: Part['when'] =
    kind === 'script-per-boot' ? 'boot' : kind === 'script-per-once' ? 'once' : 'instance';
  splitting.parts.push({ name: given.name, kind: 'script', text, when, ...named });
}

/** What stands in the first line is quoted: a wrong one is what beginners meet first. */
function refuseUnknown(splitting: Splitting, source: SourceFile, line: number): void {
  const first = (source.lines[line - 1] ?? '').trim();
  const [what, hint] = recognise(source.lines.join('\n')) ?? [
    'the first line says nothing about what this is',
    "documents begin with '#cloud-config' or '#!', or are MIME messages",
  ];
  const quoted = first.length > 60 ? `${first.slice(0, 57)}...` : first;
  refuse(splitting, source, line, 'header', `${what}; the first line is '${quoted}'`, hint);
}

async function splitTemplate(
  splitting: Splitting,
  source: SourceFile,
  line: number,
  given: Given,
): Promise<void> {
  const rendered = renderTemplate(splitting, source);
  if (rendered === undefined) return;
  const lines = rendered.split('\n');
  const isHeader = kindOfHeader(lines[line - 1] ?? '') === 'template';
  // The line stays, as a blank one, so that the others keep their numbers.
  if (isHeader) lines[line - 1] = '';
  const next = headerLine(lines);
  const kind = kindOfHeader(lines[next - 1] ?? '');
  const inner = { ...source, lines };
  if (kind === undefined || kind === 'template') return refuseUnknown(splitting, inner, next);
  if (kind !== 'script') return splitKind(splitting, kind, inner, next, given);
  // A script is a file of its own: it begins with its first line.
  await splitKind(splitting, kind, { ...source, lines: lines.slice(next - 1) }, 1, given);
}

async function splitMime(splitting: Splitting, text: string, given: Given): Promise<void> {
  const message = parseMessage(text);
  const source = sourceOf(given.name, text);
  if (!isForThisMachine(splitting, source, message.headers)) return;
  if (message.type.startsWith('multipart/')) {
    if (message.boundary === undefined || message.boundary === '')
      return refuse(splitting, source, 1, 'mime', 'the MIME message names no boundary');
    const parts = splitBody(message.body, message.boundary);
    if (parts.length === 0)
      return refuse(splitting, source, 1, 'mime', `no line '--${message.boundary}' is in the MIME message`);
    for (const [index, part] of parts.entries()) {
      await splitMimePart(splitting, part.text, index + 1, given);
      if (splitting.count > DOCUMENT_LIMITS.parts) return;
    }
    return;
  }
  const body = decodeBody(message);
  if (body === undefined)
    return refuse(splitting, source, message.bodyLine, 'mime', 'the body is not in its encoding');
  const { type, fileName } = message;
  await split(splitting, body, {
    ...given,
    type,
    depth: given.depth + 1,
    ...(fileName === undefined ? {} : { fileName }),
  });
}

async function splitMimePart(
  splitting: Splitting,
  text: string,
  number: number,
  given: Given,
): Promise<void> {
  const message = parseMessage(text);
  const label = message.fileName === undefined ? '' : ` (${printable(message.fileName)})`;
  const name = `${given.name} part ${number}${label}`;
  const source = sourceOf(name, text);
  if (!isForThisMachine(splitting, source, message.headers)) return;
  if (message.type.startsWith('multipart/')) {
    if (given.depth >= DOCUMENT_LIMITS.depth)
      return refuse(splitting, source, 1, 'depth', 'documents lie too deep in each other');
    return splitMime(splitting, text, { ...given, name, depth: given.depth + 1 });
  }
  const body = decodeBody(message);
  if (body === undefined)
    return refuse(splitting, source, 1, 'mime', 'the body of this part is not in its encoding');
  const { type, fileName } = message;
  const inner = { name, type, depth: given.depth + 1, ...(fileName === undefined ? {} : { fileName }) };
  await split(splitting, body, inner);
}

/** `#cloud-config-archive`: a list of texts, and of mappings with `content` and `type`. */
async function splitArchive(splitting: Splitting, source: SourceFile, given: Given): Promise<void> {
  const parsed = parseYaml(given.name, given.name, source.lines.join('\n'), {
    binary: true,
    lexemes: DOCUMENT_LIMITS.lexemes,
  });
  splitting.diagnostics.push(...parsed.diagnostics);
  const root = parsed.root;
  if (root?.kind !== 'list') {
    const why = parsed.diagnostics.some(({ severity }) => severity === 'error')
      ? 'is faulty'
      : 'is no list of documents';
    return refuse(splitting, source, 1, 'archive', `the archive ${why}`);
  }
  for (const [index, item] of root.items.entries()) {
    const content = item.kind === 'map' ? item.entries.get('content')?.value : item;
    if (content?.kind !== 'scalar' || typeof content.value !== 'string') {
      refuse(
        splitting,
        source,
        item.at.line,
        'archive',
        "a document of the archive has no text under 'content'",
      );
      continue;
    }
    const [type, fileName] = [textOf(item, 'type'), textOf(item, 'filename')];
    const launched = item.kind === 'map' ? item.entries.get('launch-index')?.value : undefined;
    const headers = new Map(
      launched?.kind === 'scalar' ? [['launch-index', String(launched.value)] as const] : [],
    );
    if (!isForThisMachine(splitting, { ...source, display: `${given.name} part ${index + 1}` }, headers))
      continue;
    const label = fileName === undefined ? '' : ` (${printable(fileName)})`;
    await split(splitting, encodeUtf8(content.value), {
      name: `${given.name} part ${index + 1}${label}`,
      depth: given.depth + 1,
      ...(type === undefined ? {} : { type }),
      ...(fileName === undefined ? {} : { fileName }),
    });
    if (splitting.count > DOCUMENT_LIMITS.parts) return;
  }
}

/** `#include`: addresses, one a line. */
async function splitInclude(
  splitting: Splitting,
  source: SourceFile,
  headerAt: number,
  once: boolean,
  given: Given,
): Promise<void> {
  for (const [index, written] of source.lines.entries()) {
    const url = written.trim();
    if (index < headerAt - 1 || url === '' || url.startsWith('#')) continue;
    const line = index + 1;
    if (!/^https?:\/\/[^\s/]\S*$/.test(url)) {
      refuse(splitting, source, line, 'include', 'expected an address that begins with http:// or https://');
      continue;
    }
    splitting.includes += 1;
    if (splitting.includes > DOCUMENT_LIMITS.includes)
      return refuse(splitting, source, line, 'include', 'too many addresses are included');
    if (splitting.context.fetch === undefined) {
      const message = 'what stands at this address is not looked at here';
      splitting.diagnostics.push(
        faultAt(lineAt(source, line), 'document.include', message, undefined, 'warning'),
      );
      continue;
    }
    const bytes = await splitting.context.fetch(url, once);
    // What follows the path may be a token.
    const shown = printable(url.replace(/[?#].*$/, '').replace(/\/\/[^/@]*@/, '//'));
    if (bytes === undefined) refuse(splitting, source, line, 'include', `${shown} cannot be fetched`);
    else if (bytes === 'later') {
      const reason = `${shown} is fetched when there is a network`;
      splitting.keys.push({ key: 'document', state: 'pending', file: source.display, line, reason });
    } else await split(splitting, bytes, { name: `${given.name} (${shown})`, depth: given.depth + 1 });
  }
}

function textOf(item: LocatedMap | object, name: string): string | undefined {
  const value = 'entries' in item ? item.entries.get(name)?.value : undefined;
  return value?.kind === 'scalar' && typeof value.value === 'string' ? value.value : undefined;
}

/** `undefined` when it is no UTF-8. */
function decodeText(bytes: Uint8Array): string | undefined {
  const text = decodeUtf8(bytes);
  if (text.includes('\ufffd') && !sameBytes(encodeUtf8(text), bytes)) return undefined;
  if (text.includes('\0')) return undefined;
  return text.replace(/^\ufeff/, '').replaceAll('\r\n', '\n');
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
