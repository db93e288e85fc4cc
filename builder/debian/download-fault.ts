/** Why an address did not give the file. */
export type DownloadFault =
  | { readonly kind: 'absent' }
  | { readonly kind: 'changed'; readonly detail: string }
  | { readonly kind: 'unreachable'; readonly detail: string };

export class DownloadError extends Error {
  readonly fault: DownloadFault;

  constructor(fault: DownloadFault, cause?: unknown) {
    super(fault.kind === 'absent' ? 'it is not there' : fault.detail, { cause });
    this.name = 'DownloadError';
    this.fault = fault;
  }
}

export function changed(detail: string): DownloadError {
  return new DownloadError({ kind: 'changed', detail });
}

/** What an error says about the address. Throws the file system's own errors again: they are not the mirror's. */
export function faultOf(error: unknown): DownloadFault {
  if (error instanceof DownloadError) return error.fault;
  const codes = [error, error instanceof Error ? error.cause : undefined].map(codeOf);
  if (codes.includes('ENOENT') || codes.includes('ENOTDIR')) return { kind: 'absent' };
  if (
    error instanceof Error &&
    'syscall' in error &&
    codes[0] !== undefined &&
    /^(write|ftruncate|fsync)$/.test(String(error.syscall))
  )
    throw error;
  return {
    kind: 'unreachable',
    detail: reasonOf(
      codes.find((code) => code !== undefined),
      error,
    ),
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "the mirror's name is unknown",
  EAI_AGAIN: "the mirror's name cannot be looked up",
  ECONNREFUSED: 'the mirror refuses the connection',
  ECONNRESET: 'the connection was reset',
  ENETUNREACH: 'there is no way to the network',
  EHOSTUNREACH: 'there is no way to the mirror',
  ETIMEDOUT: 'the mirror does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'the mirror does not answer',
  UND_ERR_SOCKET: 'the connection ended early',
};

function reasonOf(code: string | undefined, error: unknown): string {
  const known = code === undefined ? undefined : REASONS[code];
  return known === undefined
    ? error instanceof Error
      ? error.message
      : String(error)
    : `${known} (${code})`;
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
