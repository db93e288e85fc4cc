/** From what the user wrote to a place. */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SlipwayError } from '../../../spec/error.ts';
import { own } from '../../../spec/own.ts';
import { folderTarget } from './folder.ts';
import { sftpTarget } from './sftp.ts';
import type { PushTarget } from './target.ts';

export interface TargetOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For sftp:, instead of ~/.ssh/config. */
  readonly sshConfigFile?: string;
}

type Open = (url: URL, options: TargetOptions) => PushTarget | Promise<PushTarget>;

const KINDS: Readonly<Record<string, Open>> = {
  'file:': (url) => folderTarget(fileURLToPath(url)),
  'sftp:': openSftp,
  's3:': openS3,
  'github:': openGitHub,
};

/** The forms of TARGET, for messages and help. */
export const TARGET_FORMS =
  'FOLDER, file:///FOLDER, sftp://[USER@]HOST[:PORT]/PATH, s3://BUCKET[/PREFIX], github:OWNER/REPOSITORY[/TAG]';

/** Throws `usage.push-target` for what is none of these. */
export async function openTarget(text: string, options: TargetOptions): Promise<PushTarget> {
  const scheme = /^([a-z][a-z0-9+.-]*:)(\/\/)?/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return folderTarget(resolve(text));
  const open = own(KINDS, scheme);
  if (open === undefined || !URL.canParse(text)) throw wrongTarget(text);
  return open(new URL(text), options);
}

function openSftp(url: URL, { environment, sshConfigFile }: TargetOptions): PushTarget {
  const path = decodeURIComponent(url.pathname);
  const user = decodeURIComponent(url.username);
  // Both become words of a command line.
  const plain = /^[A-Za-z0-9_.][A-Za-z0-9_.@-]*$/;
  if (url.password !== '')
    throw new SlipwayError('usage.push-target', 'a password in a target ends up in logs and process lists', {
      hint: 'use a key',
    });
  const host = url.hostname;
  if ((user !== '' && !plain.test(user)) || !/^([A-Za-z0-9_][A-Za-z0-9_.-]*|\[[0-9a-fA-F:.]+\])$/.test(host))
    throw wrongTarget(url.href);
  // eslint-disable-next-line no-control-regex -- a line end would begin another command
  if (path === '' || path === '/' || /[\0-\x1f]/.test(path)) throw wrongTarget(url.href);
  return sftpTarget(url.href, {
    user: user === '' ? undefined : user,
    host,
    port: url.port === '' ? undefined : Number(url.port),
    path: path.startsWith('/~/') ? path.slice(3) : path,
    configFile: sshConfigFile,
    agentSocket: environment['SSH_AUTH_SOCK'],
  });
}

async function openS3(url: URL, { environment }: TargetOptions): Promise<PushTarget> {
  const needed = (name: string): string => {
    const value = environment[name];
    if (value !== undefined && value !== '') return value;
    throw new SlipwayError('push.credentials', `${name} is not set`, {
      hint: 'for s3: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_REGION and AWS_ENDPOINT_URL where the store needs them',
    });
  };
  const bucket = url.hostname;
  const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '');
  if (!/^[a-z0-9][a-z0-9.-]{1,62}$/.test(bucket)) throw wrongTarget(url.href);
  const place = {
    bucket,
    endpoint: environment['AWS_ENDPOINT_URL_S3'] ?? environment['AWS_ENDPOINT_URL'],
    region: environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'] ?? 'us-east-1',
    accessKeyId: needed('AWS_ACCESS_KEY_ID'),
    secretAccessKey: needed('AWS_SECRET_ACCESS_KEY'),
    sessionToken: environment['AWS_SESSION_TOKEN'],
  };
  const { s3Requests } = await import('./s3-request.ts');
  const { s3Target } = await import('./s3.ts');
  return s3Target(url.href, s3Requests(place), prefix === '' ? '' : `${prefix}/`);
}

/** The release is that of TAG, `updates` unless told. */
async function openGitHub(url: URL, { environment }: TargetOptions): Promise<PushTarget> {
  const match =
    /^\/*([A-Za-z0-9][A-Za-z0-9-]{0,38})\/([A-Za-z0-9_.-]{1,100})(?:\/([A-Za-z0-9_.-]{1,100}))?\/?$/.exec(
      `${url.host === '' ? '' : `${url.host}/`}${url.pathname}`.replaceAll('//', '/'),
    );
  const [, owner, repository, tag = 'updates'] = match ?? [];
  if (owner === undefined || repository === undefined) throw wrongTarget(url.href);
  const token = [environment['GITHUB_TOKEN'], environment['GH_TOKEN']].find((value) => (value ?? '') !== '');
  if (token === undefined)
    throw new SlipwayError('push.credentials', 'GITHUB_TOKEN is not set', {
      hint: 'for github: set GITHUB_TOKEN to a token that may write the contents of the repository (in Actions: permissions: contents: write)',
    });
  const { gitHubRequests } = await import('./github-requests.ts');
  const { gitHubTarget } = await import('./github.ts');
  const apiUrl = environment['GITHUB_API_URL'];
  const place = { owner, repository, tag, token, apiUrl: apiUrl === '' ? undefined : apiUrl };
  return gitHubTarget(`github:${owner}/${repository}/${tag}`, gitHubRequests(place));
}

function wrongTarget(text: string): SlipwayError {
  return new SlipwayError('usage.push-target', `${text} is no target`, {
    hint: `one of ${TARGET_FORMS}`,
  });
}
