/**
 * The part of GitHub's REST API that pushing uses, as its documentation describes it ("REST API endpoints for releases", "... for release assets", "Rate
 * limits for the REST API"): pages with Link headers, uploads on another host, names that are taken, uploads that were cut off, redirected downloads.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const TOKEN = 'ghs_exampletoken';
export const OWNER = 'acme';
export const REPOSITORY = 'hosts';

export interface Asset {
  readonly id: number;
  name: string;
  state: 'uploaded' | 'starter';
  bytes: Buffer;
  contentType: string;
}

export interface Fault {
  /** 0 cuts the connection; for an upload, in its midst. */
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly message?: string;
}

export interface GitHubServer {
  readonly apiUrl: string;
  /** Where machines fetch from. */
  readonly downloadUrl: (tag: string) => string;
  /** By tag. */
  readonly releases: Map<string, { readonly id: number; readonly assets: Asset[] }>;
  /** `METHOD path`, of what was accepted. */
  readonly log: string[];
  /** Answers instead of the server when it returns something. */
  fault: (request: string) => Fault | undefined;
  close(): Promise<void>;
}

/** A few, so that listings take several requests; GitHub's own maximum is 100. */
const PER_PAGE = 4;
const MOST_ASSETS = 1000;

export async function startGitHub(): Promise<GitHubServer> {
  const releases: GitHubServer['releases'] = new Map();
  const log: string[] = [];
  const state: { fault: GitHubServer['fault'] } = { fault: () => undefined };
  let lastId = 100;
  const nextId = (): number => ++lastId;
  let origin = '';

  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', origin);
    const line = `${request.method ?? ''} ${url.pathname}${url.search}`;
    const fault = state.fault(line);
    const isUpload = url.pathname.startsWith('/uploads/');
    if (fault !== undefined && !(isUpload && fault.status === 0)) {
      request.resume();
      if (fault.status === 0) return void request.socket.destroy();
      return send(response, fault.status, { message: fault.message ?? 'no' }, fault.headers);
    }
    if (url.pathname.startsWith(`/${OWNER}/`) || url.pathname.startsWith('/storage/'))
      return download(url, response);
    if (!/^(token|Bearer) /.test(request.headers.authorization ?? '') || !request.headers['user-agent'])
      return send(response, 403, { message: 'Request forbidden by administrative rules' });
    if (!request.headers.authorization?.endsWith(` ${TOKEN}`))
      return send(response, 401, { message: 'Bad credentials' });
    const base = `/repos/${OWNER}/${REPOSITORY}/releases`;
    const path = url.pathname.replace(/^\/(api|uploads)/, '');
    if (!path.startsWith(base)) return send(response, 404, { message: 'Not Found' });
    const chunks: Buffer[] = [];
    const cutUpload = isUpload && fault?.status === 0;
    for await (const chunk of request) {
      chunks.push(chunk as Buffer);
      if (cutUpload) break;
    }
    const body = Buffer.concat(chunks);
    const done = (status: number, json?: unknown, headers?: Readonly<Record<string, string>>): void => {
      log.push(line);
      send(response, status, json, headers);
    };
    const rest = path.slice(base.length);
    const tag = /^\/tags\/(.+)$/.exec(rest)?.[1];
    if (request.method === 'GET' && tag !== undefined) {
      const found = releases.get(decodeURIComponent(tag));
      return found === undefined
        ? send(response, 404, { message: 'Not Found' })
        : done(200, releaseJson(found.id));
    }
    if (request.method === 'POST' && rest === '' && !isUpload) {
      const { tag_name: name } = JSON.parse(body.toString()) as { tag_name: string };
      if (releases.has(name)) return send(response, 422, invalid('Release', 'tag_name'));
      const release = { id: nextId(), assets: [] };
      releases.set(name, release);
      return done(201, releaseJson(release.id));
    }
    const [, id, kind] = /^\/(\d+)\/(assets)$/.exec(rest) ?? [];
    const release = [...releases.values()].find((one) => one.id === Number(id));
    if (kind !== undefined && release === undefined) return send(response, 404, { message: 'Not Found' });
    if (release !== undefined && request.method === 'GET') return page(url, release.assets, done);
    if (release !== undefined && request.method === 'POST' && isUpload) {
      // GitHub renames what has other characters.
      const name = (url.searchParams.get('name') ?? '').replaceAll(/[^A-Za-z0-9._-]/g, '.');
      const contentType = request.headers['content-type'];
      if (name === '' || contentType === undefined || request.headers['content-length'] === undefined)
        return send(response, 400, { message: 'Bad Request' });
      if (release.assets.some((asset) => asset.name === name))
        return send(response, 422, invalid('ReleaseAsset', 'name', 'already_exists'));
      if (release.assets.length >= MOST_ASSETS)
        return send(response, 422, { message: 'Validation Failed: asset limit reached' });
      const asset: Asset = {
        id: nextId(),
        name,
        state: cutUpload ? 'starter' : 'uploaded',
        bytes: cutUpload ? Buffer.alloc(0) : body,
        contentType,
      };
      release.assets.push(asset);
      if (cutUpload) return void request.socket.destroy();
      return done(201, assetJson(asset));
    }
    const assetId = Number(/^\/assets\/(\d+)$/.exec(rest)?.[1]);
    const owner = [...releases.values()].find(({ assets }) => assets.some((one) => one.id === assetId));
    const asset = owner?.assets.find((one) => one.id === assetId);
    if (owner === undefined || asset === undefined) return send(response, 404, { message: 'Not Found' });
    if (request.method === 'DELETE') {
      owner.assets.splice(owner.assets.indexOf(asset), 1);
      return done(204);
    }
    if (request.method === 'PATCH') {
      const { name } = JSON.parse(body.toString()) as { name: string };
      if (owner.assets.some((other) => other !== asset && other.name === name))
        return send(response, 422, invalid('ReleaseAsset', 'name', 'already_exists'));
      asset.name = name;
      return done(200, assetJson(asset));
    }
    if (request.headers.accept !== 'application/octet-stream') return done(200, assetJson(asset));
    return done(302, undefined, { location: `${origin}/storage/${asset.id}` });
  }

  function download(url: URL, response: ServerResponse): void {
    const [, id] = /^\/storage\/(\d+)$/.exec(url.pathname) ?? [];
    const [, tag = '', name = ''] = /\/releases\/download\/([^/]+)\/([^/]+)$/.exec(url.pathname) ?? [];
    const assets = [...releases.values()].flatMap((release) => release.assets);
    const asset =
      id === undefined
        ? releases.get(tag)?.assets.find((one) => one.name === name)
        : assets.find((one) => one.id === Number(id));
    if (asset?.state !== 'uploaded') return send(response, 404, { message: 'Not Found' });
    if (id === undefined)
      return send(response, 302, undefined, { location: `${origin}/storage/${asset.id}` });
    response.writeHead(200, { 'content-type': asset.contentType, 'content-length': asset.bytes.length });
    response.end(asset.bytes);
  }

  function page(
    url: URL,
    assets: readonly Asset[],
    done: (status: number, json: unknown, headers: Readonly<Record<string, string>>) => void,
  ): void {
    const size = Math.min(Number(url.searchParams.get('per_page') ?? 30), PER_PAGE);
    const number = Number(url.searchParams.get('page') ?? 1);
    const next = new URL(url);
    next.searchParams.set('page', `${number + 1}`);
    const more = number * size < assets.length;
    done(
      200,
      assets.slice((number - 1) * size, number * size).map(assetJson),
      more ? { link: `<${next.href}>; rel="next", <${url.href}>; rel="first"` } : {},
    );
  }

  function releaseJson(id: number): unknown {
    const upload = `${origin}/uploads/repos/${OWNER}/${REPOSITORY}/releases/${id}/assets{?name,label}`;
    return { id, upload_url: upload, assets: [] };
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    apiUrl: `${origin}/api`,
    downloadUrl: (tag) => `${origin}/${OWNER}/${REPOSITORY}/releases/download/${tag}`,
    ...{ releases, log },
    get fault() {
      return state.fault;
    },
    set fault(value) {
      state.fault = value;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function assetJson({ id, name, bytes, state, contentType }: Asset): unknown {
  return { id, name, size: bytes.length, state, content_type: contentType };
}

function invalid(resource: string, field: string, code = 'already_exists'): unknown {
  return { message: 'Validation Failed', errors: [{ resource, code, field }] };
}

function send(
  response: ServerResponse,
  status: number,
  json?: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = json === undefined ? '' : JSON.stringify(json);
  response.writeHead(status, {
    ...(body === '' ? {} : { 'content-type': 'application/json; charset=utf-8' }),
    'x-ratelimit-remaining': '4999',
    ...headers,
  });
  response.end(body);
}
