/** What is asked of GitHub's REST API, and what its refusals mean. */
import { Octokit } from '@octokit/rest';
import { SlipwayError } from '../../../spec/error.ts';
import { BusyError } from './retry.ts';

export interface GitHubPlace {
  readonly owner: string;
  readonly repository: string;
  /** Of the release that holds the repository; made when there is none. */
  readonly tag: string;
  readonly token: string;
  /** Of another GitHub (Enterprise), as Actions set it in GITHUB_API_URL. */
  readonly apiUrl: string | undefined;
}

export interface ReleaseAsset {
  readonly id: number;
  readonly name: string;
  readonly sizeBytes: number;
  /** `uploaded`: whole. Another: an upload that was cut off. */
  readonly state: string;
}

export interface GitHubRequests {
  readonly ensureRelease: () => Promise<void>;
  /** Empty where there is no release. */
  readonly list: () => Promise<readonly ReleaseAsset[]>;
  readonly read: (id: number) => Promise<Buffer | undefined>;
  readonly upload: (name: string, bytes: Uint8Array, contentType: string) => Promise<ReleaseAsset>;
  readonly rename: (id: number, name: string) => Promise<void>;
  /** One that is gone already is no error. */
  readonly remove: (id: number) => Promise<void>;
}

const PER_PAGE = 100;
/** GitHub's own. */
const MOST_ASSETS = 1000;
const LONGEST_WAIT_MS = 15 * 60_000;

export function gitHubRequests({ owner, repository: repo, tag, token, apiUrl }: GitHubPlace): GitHubRequests {
  const { request, paginate } = new Octokit({
    auth: token,
    userAgent: 'slipway',
    // Its own messages about deprecated answers are nothing for our users.
    log: { debug: silent, info: silent, warn: silent, error: silent },
    ...(apiUrl === undefined ? {} : { baseUrl: apiUrl.replace(/\/+$/, '') }),
  });
  const place = { owner, repo };
  let release: { readonly id: number; readonly uploadUrl: string } | undefined;

  const find = async (): Promise<typeof release> => {
    const found = await orMissing(() =>
      request('GET /repos/{owner}/{repo}/releases/tags/{tag}', { ...place, tag }),
    );
    if (found !== undefined) release = { id: found.data.id, uploadUrl: found.data.upload_url };
    return release;
  };

  let making: Promise<void> | undefined;
  const make = async (): Promise<void> => {
    if (release !== undefined || (await find()) !== undefined) return;
    const { data } = await told(() =>
      request('POST /repos/{owner}/{repo}/releases', {
        ...place,
        tag_name: tag,
        name: `Updates (${tag})`,
        body: 'Signed updates of machines. Its assets are made by `slipway repo push`: leave them as they are.',
        make_latest: 'false',
      }),
    );
    release = { id: data.id, uploadUrl: data.upload_url };
  };

  return {
    ensureRelease: () => {
      // Of parallel uploads, one makes it.
      making ??= make().finally(() => (making = undefined));
      return making;
    },
    list: async () => {
      const there = release ?? (await find());
      if (there === undefined) return [];
      const assets = await told(() =>
        paginate('GET /repos/{owner}/{repo}/releases/{release_id}/assets', {
          ...place,
          release_id: there.id,
          per_page: PER_PAGE,
        }),
      );
      return assets.map(assetOf);
    },
    read: async (id) => {
      const found = await orMissing(() =>
        request('GET /repos/{owner}/{repo}/releases/assets/{asset_id}', {
          ...place,
          asset_id: id,
          headers: { accept: 'application/octet-stream' },
          // The bytes, whatever the store calls their type.
          request: { parseSuccessResponseBody: false },
        }),
      );
      if (found === undefined) return undefined;
      return Buffer.from(await new Response(found.data as unknown as ReadableStream).arrayBuffer());
    },
    upload: async (name, bytes, contentType) => {
      if (release === undefined) throw new Error('there is no release to add to');
      const { id, uploadUrl } = release;
      const answer = await told(() =>
        request('POST /repos/{owner}/{repo}/releases/{release_id}/assets{?name,label}', {
          ...place,
          // Uploads go to a host of their own.
          baseUrl: uploadUrl.replace(/\/repos\/.*$/, ''),
          release_id: id,
          name,
          headers: { 'content-type': contentType, 'content-length': `${bytes.length}` },
          // Its types know of texts alone.
          data: bytes as unknown as string,
        }),
      );
      return assetOf(answer.data as Parameters<typeof assetOf>[0]);
    },
    rename: async (id, name) => {
      await told(() =>
        request('PATCH /repos/{owner}/{repo}/releases/assets/{asset_id}', { ...place, asset_id: id, name }),
      );
    },
    remove: async (id) => {
      await orMissing(() =>
        request('DELETE /repos/{owner}/{repo}/releases/assets/{asset_id}', { ...place, asset_id: id }),
      );
    },
  };
}

function assetOf({
  id,
  name,
  size,
  state,
}: {
  id: number;
  name: string;
  size: number;
  state: string;
}): ReleaseAsset {
  return { id, name, sizeBytes: size, state };
}

/** `undefined`: 404. */
async function orMissing<T>(work: () => Promise<T>): Promise<T | undefined> {
  return told(() =>
    work().catch((error: unknown) =>
      refusalOf(error)?.status === 404 ? undefined : Promise.reject(error as Error),
    ),
  );
}

/** Throws BusyError where GitHub says when to come again, `push.refused` where it never will be better. */
async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw meaning(error);
  }
}

interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly headers: Readonly<Record<string, string | number | undefined>>;
}

function refusalOf(error: unknown): Refusal | undefined {
  if (!(error instanceof Error) || !('status' in error)) return undefined;
  const { status, response } = error as Error & {
    status: unknown;
    response?: { headers?: Refusal['headers'] };
  };
  return { status: Number(status), message: error.message, headers: response?.headers ?? {} };
}

/** "Rate limits for the REST API": 403 or 429, with `retry-after`, or without anything left until `x-ratelimit-reset`. */
function meaning(error: unknown): unknown {
  const refusal = refusalOf(error);
  if (refusal === undefined) return error;
  const { status, message, headers } = refusal;
  const header = (name: string): number => Number(headers[name] ?? NaN);
  if (status === 403 || status === 429) {
    const after = header('retry-after') * 1000;
    const reset =
      header('x-ratelimit-remaining') === 0 ? header('x-ratelimit-reset') * 1000 - Date.now() : NaN;
    const waitMs = Number.isNaN(after) ? reset : after;
    if (waitMs > LONGEST_WAIT_MS)
      return new SlipwayError(
        'push.refused',
        `GitHub wants to be left alone for ${Math.ceil(waitMs / 60_000)} minutes`,
        {
          hint: 'run the same command again then: what is there already is not sent twice',
          cause: error,
        },
      );
    if (!Number.isNaN(waitMs)) return new BusyError(message, Math.max(0, waitMs));
    if (status === 429 || /secondary rate limit/i.test(message)) return new BusyError(message, 60_000);
  }
  if (status === 422 && /already_exists/.test(message)) return error;
  if (status === 422 && /asset/i.test(message) && /limit|too many/i.test(message))
    return refused(
      message,
      `a release holds ${MOST_ASSETS} assets: collect garbage, and push with --delete`,
      error,
    );
  if (status === 401)
    return refused(message, 'the token in GITHUB_TOKEN is not valid, or has expired', error);
  if (status === 403)
    return refused(message, 'the token needs the right "Contents: write" for this repository', error);
  if (status === 404)
    return refused(
      message,
      'there is no such repository, or the token in GITHUB_TOKEN may not see it',
      error,
    );
  if (status === 422)
    return refused(
      message,
      'a release needs a repository with at least one commit, and a tag name that git takes',
      error,
    );
  return error;
}

function refused(message: string, hint: string, cause: unknown): SlipwayError {
  return new SlipwayError('push.refused', `GitHub refuses: ${message}`, { hint, cause });
}

function silent(): void {
  // Nothing.
}
