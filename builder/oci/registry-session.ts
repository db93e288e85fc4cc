/** Requests to one repository of a registry: the token dance, redirects, time limits. */
import { SlipwayError } from '../../spec/error.ts';
import { isLoopback } from '../../oci/reference.ts';

const TIMEOUT_MS = 30_000;
const LATE = `nothing came for ${TIMEOUT_MS / 1000} s`;
/** A connection that was kept open may be closed by the registry just as it is used again. */
const ATTEMPTS = 3;
const PAUSE_MS = 200;

/** Holds the token that the registry's own authority gave (distribution's token authentication). */
export class RegistrySession {
  readonly #base: string;
  readonly #host: string;
  readonly #repository: string;
  #token: Promise<string> | undefined;

  constructor(host: string, repository: string) {
    this.#host = host;
    this.#repository = repository;
    this.#base = `${isLoopback(host) ? 'http' : 'https'}://${host}/v2/${repository}`;
  }

  /** 200 or 404; anything else is thrown. Redirects are followed: fetch drops the token where they lead to another host. */
  async get(path: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    let response = await this.#request(path, headers, this.#token);
    if (response.status === 401) {
      this.#token = this.#fetchToken(response.headers.get('www-authenticate') ?? '');
      response = await this.#request(path, headers, this.#token);
    }
    if (response.ok || response.status === 404) return response;
    if (response.status === 401 || response.status === 403) {
      throw new SlipwayError(
        'oci.denied',
        `${this.#host}: ${this.#repository} is not public (${response.status})`,
        {
          hint: 'images are pulled without an account: save it with `docker save` and name the .tar file',
        },
      );
    }
    throw new SlipwayError(
      'oci.registry',
      `${this.#host} answers ${response.status} for ${this.#repository}/${path}`,
    );
  }

  /** The body; stops when nothing comes for a while. */
  async *body(response: Response): AsyncGenerator<Uint8Array> {
    const reader = response.body?.getReader();
    if (reader === undefined) return;
    try {
      for (;;) {
        const { done, value } = await this.#inTime(
          reader.read() as Promise<{ done: boolean; value?: Uint8Array }>,
        );
        if (done) return;
        if (value !== undefined) yield value;
      }
    } finally {
      // Whoever has seen enough lets the rest go.
      await reader.cancel().catch(() => undefined);
    }
  }

  async #request(
    path: string,
    headers: Readonly<Record<string, string>>,
    token: Promise<string> | undefined,
  ): Promise<Response> {
    const authorization = token === undefined ? {} : { authorization: `Bearer ${await token}` };
    return this.#fetch(`${this.#base}/${path}`, { ...headers, ...authorization });
  }

  async #fetchToken(challenge: string): Promise<string> {
    const parameters = new Map(
      [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value]),
    );
    const realm = parameters.get('realm');
    if (!/^bearer /i.test(challenge) || realm === undefined) {
      throw new SlipwayError('oci.denied', `${this.#host} asks for a user and password`, {
        hint: 'images are pulled without an account: save it with `docker save` and name the .tar file',
      });
    }
    const url = new URL(realm);
    if (url.protocol !== 'https:' && !isLoopback(url.host)) {
      throw new SlipwayError('oci.denied', `${this.#host} wants its token fetched without TLS`);
    }
    const service = parameters.get('service');
    if (service !== undefined) url.searchParams.set('service', service);
    url.searchParams.set('scope', parameters.get('scope') ?? `repository:${this.#repository}:pull`);
    const response = await this.#fetch(url.href, {});
    const body = (await response.json().catch(() => ({}))) as { token?: unknown; access_token?: unknown };
    const token = body.token ?? body.access_token;
    if (!response.ok || typeof token !== 'string') {
      throw new SlipwayError(
        'oci.denied',
        `${url.host} gives no token for ${this.#repository} (${response.status})`,
      );
    }
    return token;
  }

  async #fetch(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(new Error(LATE)), TIMEOUT_MS);
      try {
        return await fetch(url, { headers, signal: controller.signal });
      } catch (error) {
        if (attempt === ATTEMPTS || controller.signal.aborted) throw this.#unreachable(error);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
      } finally {
        clearTimeout(timer);
      }
    }
  }

  async #inTime<T>(work: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(LATE)), TIMEOUT_MS);
    });
    try {
      return await Promise.race([work, late]);
    } catch (error) {
      throw this.#unreachable(error);
    } finally {
      clearTimeout(timer);
    }
  }

  #unreachable(error: unknown): SlipwayError {
    const reason =
      error instanceof Error ? (error.cause instanceof Error ? error.cause.message : error.message) : '';
    return new SlipwayError('oci.unreachable', `${this.#host} cannot be reached: ${reason}`, {
      cause: error,
      hint: 'without a network, only images that are locked and in the cache can be built',
    });
  }
}
