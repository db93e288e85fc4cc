/** Bytes of a network configuration to its typed form. Nothing that they hold makes it throw or hang. */
import type { Diagnostic } from '../../../spec/diagnostic.ts';
import type { Located, LocatedMap } from '../../../spec/located.ts';
import { parseYaml } from '../../../spec/yaml.ts';
import { decodeUtf8 } from '../../../system/utf8.ts';
import { DOCUMENT_LIMITS } from '../document/limits.ts';
import type { NetworkConfig } from './config.ts';
import { checkLinks } from './check.ts';
import { fault, mapOf, readKeys, type KeyReader, type Reader } from './reader.ts';
import { readVersion1 } from './version1.ts';
import { readVersion2 } from './version2.ts';

export interface NetworkReading {
  /**
   * Absent for an empty document, and for one that is no network configuration at all. Else what could be understood: an entry with a
   * fault is marked so, and gets DHCP beside what was understood of it, so that one wrong letter locks nobody out.
   */
  readonly config?: NetworkConfig;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Reads a network configuration, version 1 or 2, with or without the `network:` around it.
 * @param file What messages call it.
 */
export function readNetworkConfig(bytes: Uint8Array, file: string): NetworkReading {
  const text = decodeUtf8(bytes);
  // What NoCloud servers give for "none".
  if (isBlank(text)) return { diagnostics: [] };
  const { root, diagnostics } = parseYaml(file, file, text, { lexemes: DOCUMENT_LIMITS.lexemes });
  const reader: Reader = {
    diagnostics: [...diagnostics],
    errors: diagnostics.filter(({ severity }) => severity === 'error').length,
  };
  const config = root === undefined ? undefined : readRoot(reader, root);
  return { ...(config === undefined ? {} : { config }), diagnostics: reader.diagnostics };
}

function isBlank(text: string): boolean {
  return text.split(/\r?\n/).every((line) => /^\uFEFF?(?:\s*(?:#.*)?|---\s*)$/.test(line));
}

function readRoot(reader: Reader, root: Located): NetworkConfig | undefined {
  const map = mapOf(reader, root, 'a network configuration');
  if (map === undefined) return undefined;
  const wrapped = map.entries.get('network');
  if (wrapped === undefined) return readBody(reader, map);
  let inner: LocatedMap | undefined;
  readKeys(reader, map, 'a network configuration', {
    network: (value) => (inner = mapOf(reader, value, "'network'")),
  });
  return inner === undefined ? undefined : readBody(reader, inner);
}

function readBody(reader: Reader, body: LocatedMap): NetworkConfig | undefined {
  const version = body.entries.get('version');
  if (version === undefined) {
    const disabled = body.entries.get('config')?.value;
    if (disabled?.kind === 'scalar' && disabled.text === 'disabled')
      fault(
        reader,
        disabled.at,
        'disabled',
        "'config: disabled' belongs into cloud-init's own files",
        NONE_HINT,
      );
    else fault(reader, body.at, 'version', 'a network configuration has a version', "add 'version: 2'");
    return undefined;
  }
  const written = version.value.kind === 'scalar' ? version.value.text : '';
  const anyway: KeyReader = () => undefined;
  if (written === '1') return checkLinks(reader, readVersion1(reader, body, anyway));
  if (written === '2') return checkLinks(reader, readVersion2(reader, body, anyway));
  fault(reader, version.value.at, 'version', 'the version of a network configuration is 1 or 2');
  return undefined;
}

const NONE_HINT = 'leave the network configuration out: every Ethernet card gets DHCP then';
