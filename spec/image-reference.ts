/** What `image:` may hold: a path of the workstation, or a repository in a registry that is named. */

export const IMAGE_REFERENCE_HINT =
  'write registry/repository:tag or registry/repository@sha256:..., or a path: ./folder (OCI layout), ./image.tar';

/** `./folder`, `../a.tar`, `/a`. */
export function isImagePath(text: string): boolean {
  return /^(\.{0,2}\/|\.{1,2}$)/.test(text);
}

/** Short names (`busybox`) mean another registry to everybody, so a reference here is a complete one. */
export function isRegistryReference(text: string): boolean {
  const [, host = '', repository = ''] =
    /^([^/]+)\/([^@:]+)(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/.exec(text) ?? [];
  const isHost = /^(localhost|[\w-]+(\.[\w-]+)+|\[[0-9a-f:]+\]|[\w.-]+(?=:))(:\d{1,5})?$/i.test(host);
  return isHost && repository.split('/').every((part) => /^[a-z0-9]+([._-]+[a-z0-9]+)*$/.test(part));
}
