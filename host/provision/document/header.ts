/** What a document is, by its first line (cloud-init: `INCLUSION_TYPES_MAP`) or by its MIME type. */
import { own } from '../../../spec/own.ts';

export type Kind =
  | 'cloud-config'
  | 'archive'
  | 'script'
  | 'script-per-boot'
  | 'script-per-instance'
  | 'script-per-once'
  | 'include'
  | 'include-once'
  | 'template'
  | 'boothook'
  | 'part-handler'
  | 'jsonp'
  | 'upstart';

/** Longer ones first. */
const HEADERS: readonly (readonly [RegExp, Kind])[] = [
  [/^## *template: *jinja\b/i, 'template'],
  [/^#cloud-config-archive\s*$/i, 'archive'],
  [/^#cloud-config-jsonp\b/i, 'jsonp'],
  [/^#cloud-config\s*(#.*)?$/i, 'cloud-config'],
  [/^#cloud-boothook\b/i, 'boothook'],
  [/^#part-handler\b/i, 'part-handler'],
  [/^#upstart-job\b/i, 'upstart'],
  [/^#include-once\s*$/i, 'include-once'],
  [/^#include\s*$/i, 'include'],
  [/^#!/, 'script'],
];

const TYPES: Readonly<Record<string, Kind>> = {
  'text/cloud-config': 'cloud-config',
  'text/cloud-config-archive': 'archive',
  'text/cloud-config-jsonp': 'jsonp',
  'text/cloud-boothook': 'boothook',
  'text/part-handler': 'part-handler',
  'text/upstart-job': 'upstart',
  'text/jinja2': 'template',
  'text/x-include-url': 'include',
  'text/x-include-once-url': 'include-once',
  'text/x-shellscript': 'script',
  'text/x-shellscript-per-boot': 'script-per-boot',
  'text/x-shellscript-per-instance': 'script-per-instance',
  'text/x-shellscript-per-once': 'script-per-once',
};

/** Types that say nothing: the first line decides. */
const UNTYPED =
  /^(text\/plain|text\/x-not-multipart|application\/octet-stream|application\/(x-)?(gzip|compressed)|text\/x-shellscript)$/;

/** The line that decides: the first that is not blank; from 1. */
export function headerLine(lines: readonly string[]): number {
  const index = lines.findIndex((line) => line.trim() !== '');
  return index < 0 ? 1 : index + 1;
}

export function kindOfHeader(line: string): Kind | undefined {
  return HEADERS.find(([pattern]) => pattern.test(line.trimEnd()))?.[1];
}

/** `undefined`: the type is unknown. `by-header`: it leaves that to the first line. */
export function kindOfType(type: string): Kind | 'by-header' | undefined {
  return UNTYPED.test(type) ? 'by-header' : own(TYPES, type);
}

/** Documents that are known and not heard: what they are, and what to do instead. */
export const UNHEARD: Readonly<Partial<Record<Kind, readonly [string, string]>>> = {
  boothook: ['a boothook (a script before everything else)', 'use `bootcmd`, which runs at every boot'],
  'part-handler': [
    'a part handler (a Python program)',
    'the host has no Python: write its result as `#cloud-config`',
  ],
  jsonp: ['a JSON patch', 'write the whole as `#cloud-config`: later documents are merged over earlier ones'],
  upstart: ['an upstart job', 'write it as a service, under `services:`'],
};

/** A document for somebody else, or one that was damaged on its way: what it is, and what to do. */
export function recognise(text: string): readonly [string, string] | undefined {
  const start = text.trimStart().slice(0, 4096);
  if (start.startsWith('{') && /"ignition"\s*:/.test(start))
    return ['this is an Ignition document', 'Slipway reads `#cloud-config`: write it as such'];
  if (/^variant:\s*\S/m.test(start) && /^version:\s*\S/m.test(start))
    return ['this is a Butane document', 'Slipway reads `#cloud-config`: write it as such'];
  if (start.startsWith('{'))
    return ['this is JSON without a header', 'put `#cloud-config` in front, as the first line'];
  if (/^#\s+cloud-config|^#\s*cloud[-_ ]?config|^cloud-config/i.test(start))
    return ['the first line is nearly `#cloud-config`', 'write it exactly so: `#cloud-config`'];
  if (
    /^[A-Za-z0-9+/\s]{24,}=*\s*$/.test(start) &&
    /^(I2Nsb3VkLWNvbmZpZ|IyEv|H4sI|I2luY2x1ZG|TUlNRS|Q29udGVudC1)/.test(start)
  )
    return ['this is wrapped in base64', 'hand it over as it is: only some platforms unwrap base64'];
  if (/^[A-Za-z_][\w-]*:(\s|$)/m.test(start))
    return [
      'the first line says nothing about what this is',
      'put `#cloud-config` in front, as the first line',
    ];
  return undefined;
}
