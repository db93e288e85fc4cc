/** What `image:` may be in a boot configuration: where the root file system of a provisioned service comes from. */
import { parseReference } from '../../../oci/reference.ts';
import { NAME } from '../../../spec/names.ts';
import { normalize } from '../../../spec/posix-path.ts';

export type ImageSource =
  /** `service:NAME`: the root file system of a service that is built into the machine's own image. */
  | { readonly kind: 'service'; readonly name: string }
  /** `/var/...`: a docker-archive or an OCI layout in a tar file. */
  | { readonly kind: 'archive'; readonly path: string }
  | {
      readonly kind: 'registry';
      /** With the port. */
      readonly host: string;
      readonly repository: string;
      readonly tag?: string;
      readonly digest?: string;
      /** `http`: only by digest, so that nobody on the way can put another image in its place. */
      readonly scheme: 'https' | 'http';
    };

export type ReferenceResult =
  { readonly source: ImageSource } | { readonly fault: string; readonly hint: string };

const FORMS =
  'write registry/repository@sha256:..., a tar file below /var, or service:NAME for the root file system of a service of the image';

export function readReference(text: string): ReferenceResult {
  if (text.startsWith('service:')) {
    const name = text.slice('service:'.length);
    if (NAME.test(name)) return { source: { kind: 'service', name } };
    return { fault: `'${name}' is no name of a service`, hint: FORMS };
  }
  if (/^\.{0,2}\//.test(text)) return readPath(text);
  const plain = text.startsWith('http://');
  try {
    const parsed = parseReference(plain ? text.slice('http://'.length) : text);
    if (parsed.kind === 'path') return { fault: `'${text}' is no image reference`, hint: FORMS };
    if (plain && parsed.digest === undefined) {
      return {
        fault: 'without TLS anybody on the way could send another image',
        hint: 'write the digest: http://registry/repository@sha256:...',
      };
    }
    return { source: { ...parsed, scheme: plain ? 'http' : 'https' } };
  } catch {
    return { fault: `'${text}' is no image reference that names its registry`, hint: FORMS };
  }
}

function readPath(text: string): ReferenceResult {
  const path = normalize(text);
  const below = path.startsWith('/var/') && !/^\/var\/lib\/slipway(\/|$)/.test(path);
  const home = path.startsWith('/var/lib/slipway/home/');
  if (text.includes('/../') || text.endsWith('/..') || !(below || home)) {
    return {
      fault: `${text}: an archive of an image lies below /var`,
      hint: 'put it there (scp, write_files with a source), and name it: /var/lib/app/image.tar',
    };
  }
  return { source: { kind: 'archive', path } };
}
