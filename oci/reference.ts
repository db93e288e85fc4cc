/** Where a service's `image` points: a path on the workstation, or a repository in a registry. */
import { SlipwayError } from '../spec/error.ts';

export type ImageReference =
  | { readonly kind: 'path'; readonly path: string }
  | {
      readonly kind: 'registry';
      /** With the port. */
      readonly host: string;
      readonly repository: string;
      /** `latest` where neither tag nor digest is given. */
      readonly tag?: string;
      readonly digest?: string;
    };

/** https://github.com/distribution/reference, but for short names: they mean another registry to everybody, so ours are complete. */
export function parseReference(text: string): ImageReference {
  if (/^(\.{0,2}\/|\.{1,2}$)/.test(text)) return { kind: 'path', path: text };
  const match = /^([^/]+)\/([^@:]+)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(text);
  const [, host = '', repository = '', tag, digest] = match ?? [];
  const isHost = /^(localhost|[\w-]+(\.[\w-]+)+|\[[0-9a-f:]+\]|[\w.-]+(?=:))(:\d{1,5})?$/i.test(host);
  const isRepository = /^[a-z0-9]+([._-]+[a-z0-9]+)*(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/.test(repository);
  if (match === null || !isHost || !isRepository) {
    throw new SlipwayError('oci.reference', `"${text}" is not an image reference`, {
      hint: 'write host/repository:tag or host/repository@sha256:..., with the registry named (no short names), or a path: ./folder, ./image.tar',
    });
  }
  return {
    kind: 'registry',
    host,
    repository,
    ...(digest === undefined ? { tag: tag ?? 'latest' } : tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** A registry on this machine itself speaks plain HTTP, as with Docker. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/.test(host);
}
