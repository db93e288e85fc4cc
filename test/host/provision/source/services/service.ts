/** A metadata service as a function from request to answer, with the troubles that real ones have. */

export interface Request {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** How many came before it, of all and of this path. */
  readonly index: number;
  readonly indexOfPath: number;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** Before the first byte. */
  readonly delayMs?: number;
  /** Instead of a body: bytes without end, or a connection that breaks half-way, or one byte every 200 ms. */
  readonly trouble?: 'endless' | 'truncated' | 'trickle' | 'endless-head' | 'no-http';
  /** Without `Content-Length`. */
  readonly chunked?: boolean;
}

export type Service = (request: Request) => Answer;

export const NOT_FOUND: Answer = { status: 404, body: '<html>404</html>' };

export const text = (body: string | Uint8Array): Answer => ({ status: 200, body });
export const json = (value: unknown): Answer => ({
  status: 200,
  body: JSON.stringify(value),
  headers: { 'Content-Type': 'application/json' },
});

/** Fails the first requests of each path, then does what it should. */
export function afterTrouble(count: number, trouble: Answer, service: Service): Service {
  return (request) => (request.indexOfPath < count ? trouble : service(request));
}
