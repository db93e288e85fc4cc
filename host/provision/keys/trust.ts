/** What the machine believes: certificates, name servers, randomness. */
import { decodeContent, content, ENCODINGS } from './content.ts';
import { hostOrAddress } from './clock.ts';
import { commandOf } from './commands.ts';
import { key, type Key } from './key.ts';
import { fault, mismatch, remark } from './reader.ts';
import { at, convert, fields, flag, given, list, oneOf, text, truth, type Shape } from './shape.ts';
import type { At } from '../config.ts';

const certificate = text({
  type: 'certificate (PEM)',
  check: (pem) =>
    pem.includes('CERTIFICATE-----') && pem.trimStart().startsWith('-----BEGIN ') && pem.includes('-----END ')
      ? undefined
      : 'this is no certificate in PEM form',
});

const caCerts = fields(
  { remove_defaults: { shape: flag }, trusted: { shape: list(certificate) } },
  { noun: 'ca_certs', hyphens: true },
);

/** `rotate: true`, `ndots: 2`: as resolv.conf(5) has them. */
const resolverOptions: Shape<readonly At<string>[]> = {
  type: 'mapping of options to numbers or `true`',
  read: (node, reader) => {
    if (node.kind !== 'map') return mismatch(reader, node, 'a mapping (key: value)');
    return [...node.entries].flatMap(([name, { keyAt, value }]) => {
      const isWord = /^[a-z][a-z0-9-]*$/.test(name);
      if (!isWord || value.kind !== 'scalar' || value.value === null)
        return fault(reader, keyAt, 'value', `'${name}' is no option of resolv.conf(5)`) ?? [];
      const said = truth(value);
      if (said !== undefined) return said ? [at(value, name)] : [];
      if (/^\d{1,3}$/.test(value.text)) return [at(value, `${name}:${value.text}`)];
      return mismatch(reader, value, 'a number, or true') ?? [];
    });
  },
};

const resolvConf = fields(
  {
    nameservers: { shape: list(hostOrAddress) },
    searchdomains: { shape: list(text()) },
    domain: { shape: text() },
    sortlist: { shape: list(text()) },
    options: { shape: resolverOptions },
  },
  { noun: 'resolv_conf' },
);

const randomSeed = fields(
  {
    data: { shape: content, secret: true },
    encoding: { shape: oneOf(['raw', 'base64', 'b64', 'gzip', 'gz'].filter((name) => name in ENCODINGS)) },
    file: { shape: oneOf(['/dev/urandom', '/dev/random']) },
    command: { shape: list(text({ numbers: true })) },
    command_required: { shape: flag },
  },
  { noun: 'random_seed' },
);

export const TRUST_KEYS: readonly Key[] = [
  key(
    { name: 'ca_certs', aliases: ['ca-certs'], group: 'B', applied: 'state', right: 'files' },
    caCerts,
    (draft, value, _reader, node) => {
      draft.caCertificates = {
        at: value.at,
        removeDefaults: value.remove_defaults ?? at(node, false),
        trusted: value.trusted ?? [],
      };
    },
  ),
  key(
    { name: 'manage_resolv_conf', group: 'B', applied: 'state', right: 'network' },
    flag,
    (draft, value) => {
      draft.managesResolvConf = value;
    },
  ),
  key(
    { name: 'resolv_conf', group: 'B', applied: 'state', right: 'network' },
    resolvConf,
    (draft, value, reader, node) => {
      if (draft.managesResolvConf?.value !== true) {
        remark(
          reader,
          node.at,
          'ignored',
          "it is only heard with 'manage_resolv_conf: true', as in cloud-init",
        );
        return;
      }
      draft.resolvConf = {
        at: value.at,
        nameservers: value.nameservers ?? [],
        searchDomains: value.searchdomains ?? [],
        sortlist: value.sortlist ?? [],
        options: value.options ?? [],
        ...given({ domain: value.domain }),
      };
    },
  ),
  key(
    { name: 'random_seed', group: 'B', applied: 'state', right: null, unquoted: true },
    convert(randomSeed, (value, _reader, node) => ({ value, node })),
    (draft, { value, node }, reader) => {
      const hidden = { ...reader, secret: true };
      const data =
        value.data === undefined
          ? undefined
          : decodeContent(value.data, value.encoding?.value ?? 'raw', hidden, draft.packed);
      if (value.data !== undefined && data === undefined) return;
      draft.randomSeed = {
        at: value.at,
        commandRequired: value.command_required ?? at(node, false),
        ...given({ data, command: value.command === undefined ? undefined : commandOf(node, value.command) }),
      };
    },
  ),
];
