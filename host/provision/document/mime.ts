/** MIME messages (RFC 2045, 2046), as `cloud-init devel make-mime`, Terraform and others write them. */
import { decodeBase64 } from '../../../spec/base64.ts';
import { encodeUtf8 } from '../../../system/utf8.ts';

export interface Message {
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  readonly type: string;
  /** Of `Content-Type`. */
  readonly boundary?: string;
  readonly fileName?: string;
  readonly body: string;
  /** Of the body's first line in the text, from 1. */
  readonly bodyLine: number;
}

/** Whether a text is a MIME message: it begins with header lines, and one of them is `MIME-Version`. */
export function isMime(text: string): boolean {
  const head = text.slice(0, 4096).split(/\n\s*\n/, 1)[0] ?? '';
  return /^[A-Za-z][\w-]*:/.test(head) && /^mime-version:/im.test(head);
}

/** Headers and body. */
export function parseMessage(text: string): Message {
  const blank = /^[ \t]*$/m;
  const lines = text.split('\n');
  const end = lines.findIndex((line) => blank.test(line));
  const head = lines.slice(0, end < 0 ? lines.length : end);
  const headers = new Map<string, string>();
  for (const line of head
    .join('\n')
    .replace(/\n[ \t]+/g, ' ')
    .split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
  }
  const contentType = headers.get('content-type') ?? 'text/plain';
  const boundary = parameter(contentType, 'boundary');
  const fileName =
    parameter(headers.get('content-disposition') ?? '', 'filename') ?? parameter(contentType, 'name');
  return {
    headers,
    type: (contentType.split(';')[0] ?? '').trim().toLowerCase(),
    ...(boundary === undefined ? {} : { boundary }),
    ...(fileName === undefined ? {} : { fileName }),
    body: end < 0 ? '' : lines.slice(end + 1).join('\n'),
    bodyLine: (end < 0 ? lines.length : end + 1) + 1,
  };
}

/** The texts between the boundaries, each with the line of the body on which it begins, from 0. */
export function splitBody(
  body: string,
  boundary: string,
): readonly { readonly text: string; readonly line: number }[] {
  const parts: { text: string; line: number }[] = [];
  const lines = body.split('\n');
  let start: number | undefined;
  for (const [index, line] of lines.entries()) {
    const mark = line.trimEnd();
    if (mark !== `--${boundary}` && mark !== `--${boundary}--`) continue;
    if (start !== undefined) parts.push({ text: lines.slice(start, index).join('\n'), line: start });
    start = mark.endsWith('--') && mark.length === boundary.length + 4 ? undefined : index + 1;
    if (start === undefined) return parts;
  }
  if (start !== undefined) parts.push({ text: lines.slice(start).join('\n'), line: start });
  return parts;
}

/** The body as bytes; `undefined` when it is not what its encoding says. */
export function decodeBody(message: Message): Uint8Array | undefined {
  const encoding = (message.headers.get('content-transfer-encoding') ?? '7bit').toLowerCase();
  if (encoding === 'base64') return decodeBase64(message.body);
  if (encoding === 'quoted-printable') return decodeQuotedPrintable(message.body);
  return ['7bit', '8bit', 'binary'].includes(encoding) ? encodeUtf8(message.body) : undefined;
}

function decodeQuotedPrintable(text: string): Uint8Array | undefined {
  const trimmed = text.split('\n').map((line) => line.trimEnd());
  const joined = trimmed.join('\n').replaceAll('=\n', '');
  const whole = encodeUtf8(joined);
  let length = 0;
  // In place: what is decoded is never longer.
  for (let index = 0; index < whole.length; index += 1) {
    let byte = whole[index] ?? 0;
    if (byte === 0x3d) {
      const digits = String.fromCharCode(whole[index + 1] ?? 0, whole[index + 2] ?? 0);
      if (!/^[0-9A-Fa-f]{2}$/.test(digits)) return undefined;
      byte = parseInt(digits, 16);
      index += 2;
    }
    whole[length] = byte;
    length += 1;
  }
  return whole.subarray(0, length);
}

function parameter(header: string, name: string): string | undefined {
  const [, quoted, bare] =
    new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]*)"|([^\\s;]+))`, 'i').exec(header.slice(0, 1000)) ?? [];
  return quoted ?? bare;
}
