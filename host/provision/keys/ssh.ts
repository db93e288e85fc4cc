/** Keys of the SSH server and of those who log in. */
import { HOST_KEY_TYPES, type SshSettings } from '../config.ts';
import { key, type Draft, type Key } from './key.ts';
import { fields, flag, list, oneOf, text, type Member } from './shape.ts';
import { importId, publicKey } from './users.ts';

const KINDS = ['private', 'public', 'certificate'] as const;

const hostKey = (kind: (typeof KINDS)[number]): Member<ReturnType<typeof keyText.read>> => ({
  shape: kind === 'private' ? privateText : keyText,
});
const keyText = text({ type: 'public key or certificate' });
const privateText = text({
  type: 'private key',
  secret: true,
  check: (pem) =>
    /^-----BEGIN [A-Z ]*PRIVATE KEY-----\s/.test(pem) ? undefined : 'this is no private key (PEM)',
});

const HOST_KEYS = Object.fromEntries(
  HOST_KEY_TYPES.flatMap((type) => KINDS.map((kind) => [`${type}_${kind}`, hostKey(kind)] as const)),
);

export const SSH_KEYS: readonly Key[] = [
  key(
    { name: 'ssh_authorized_keys', group: 'A', applied: 'state', right: 'users' },
    list(publicKey),
    (draft, keys) => {
      draft.sshAuthorizedKeys = keys;
    },
  ),
  key(
    { name: 'ssh_import_id', group: 'B', applied: 'state', right: 'users' },
    list(importId),
    (draft, ids) => {
      draft.sshImportIds = ids;
    },
  ),
  key(
    { name: 'ssh_keys', group: 'B', applied: 'state', right: 'users', unquoted: true },
    fields(HOST_KEYS, { noun: 'ssh_keys' }),
    (draft, keys) => {
      const found = keys as Readonly<Record<string, unknown>>;
      const hostKeys = HOST_KEY_TYPES.flatMap((type) =>
        KINDS.flatMap((kind) => {
          const written = found[`${type}_${kind}`] as SshSettings['hostKeys'][number]['text'] | undefined;
          return written === undefined ? [] : [{ type, kind, text: written }];
        }),
      );
      change(draft, { hostKeys });
    },
  ),
  key({ name: 'ssh_deletekeys', group: 'B', applied: 'state', right: 'users' }, flag, (draft, deleteKeys) => {
    change(draft, { deleteKeys });
  }),
  key(
    { name: 'ssh_genkeytypes', group: 'B', applied: 'state', right: 'users' },
    list(oneOf(HOST_KEY_TYPES)),
    (draft, keyTypes) => {
      change(draft, { keyTypes });
    },
  ),
];

function change(draft: Draft, settings: Partial<SshSettings>): void {
  draft.ssh = { ...draft.ssh, ...settings };
}
