/** Documents in tests: read as a machine would, with answers for addresses. */
import { gunzipSync } from 'node:zlib';
import { readDocuments, type ReadConfig } from '../../../../host/provision/document/read.ts';

export interface Setting {
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly answers?: Readonly<Record<string, string | Uint8Array>>;
  readonly vendorData?: string;
}

export async function read(userData: string | Uint8Array, setting: Setting = {}): Promise<ReadConfig> {
  return readDocuments(
    {
      userData: bytesOf(userData),
      ...(setting.vendorData === undefined ? {} : { vendorData: bytesOf(setting.vendorData) }),
    },
    {
      variables: setting.variables ?? {},
      fetch: (url) => {
        const answer = setting.answers?.[url];
        return Promise.resolve(answer === undefined ? undefined : bytesOf(answer));
      },
      inflate: (bytes, limitBytes) => Promise.resolve(inflated(bytes, limitBytes)),
    },
  );
}

/** A #cloud-config of these lines. */
export function config(...lines: readonly string[]): Promise<ReadConfig> {
  return read(['#cloud-config', ...lines, ''].join('\n'));
}

/** `line: message`, warnings marked. */
export function told({ diagnostics }: ReadConfig): string[] {
  return diagnostics.map(
    ({ line, severity, message }) => `${line}: ${severity === 'warning' ? 'warning: ' : ''}${message}`,
  );
}

/** `key state`, in the order of the documents. */
export function states({ keys }: ReadConfig): string[] {
  return keys.map(({ key, state }) => `${key} ${state}`);
}

function inflated(bytes: Uint8Array, limitBytes: number): Uint8Array | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: limitBytes });
  } catch {
    return undefined;
  }
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === 'string' ? new TextEncoder().encode(content) : content;
}
