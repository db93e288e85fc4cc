/**
 * SSH: the `sftp` program of OpenSSH, so that keys, agents, known hosts, jump hosts and all of ~/.ssh/config are as the user has them. A file is
 * written under a temporary name, which the next push goes on with, and renamed.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../../../builder/process/run.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { parseFileName } from '../repository/layout.ts';
import type { LocalFile, PushTarget } from './target.ts';

export interface SftpPlace {
  readonly user: string | undefined;
  readonly host: string;
  readonly port: number | undefined;
  /** Absolute, or relative to the user's home. */
  readonly path: string;
  /** Instead of ~/.ssh/config. */
  readonly configFile: string | undefined;
  /** Of the user's agent. */
  readonly agentSocket: string | undefined;
}

export function sftpTarget(address: string, place: SftpPlace): PushTarget {
  const sftp = (commands: readonly string[], options: SftpOptions = {}): Promise<string> =>
    runBatch(place, commands, options);
  const enter = `cd ${quote(place.path)}`;
  let found: ReadonlyMap<string, number> | undefined;
  let made: Promise<string> | undefined;
  const listAll = async (): Promise<ReadonlyMap<string, number>> => {
    const text = await sftp([enter, 'ls -lan']).catch(missing);
    return (found = text === undefined ? new Map() : parseListing(text));
  };
  const makeFolder = (): Promise<string> =>
    (made ??= sftp(parents(place.path).map((path) => `-mkdir ${quote(path)}`)).catch((error: unknown) => {
      made = undefined;
      throw error;
    }));
  return {
    address,
    parallel: 4,
    batch: 32,
    list: async () => new Map([...(await listAll())].filter(([name]) => parseFileName(name) !== undefined)),
    read: (name) =>
      inScratch(async (cwd) => {
        const got = await sftp([enter, `get ${name} file`], { cwd }).catch(missing);
        return got === undefined ? undefined : readFile(join(cwd, 'file'));
      }),
    upload: async (files, done) => {
      await makeFolder();
      const present = found ?? (await listAll());
      // Whatever comes of it, the next one looks again.
      const forget = (): void => void (found = undefined);
      await sftp([enter, ...files.flatMap((file) => uploadCommands(file, present))], {
        cwd: dirname(files[0]?.path ?? '.'),
        onOutput: watch(files, done),
      }).catch((error: unknown) => {
        forget();
        throw error;
      });
    },
    replace: async (name, bytes) => {
      await makeFolder();
      const part = `.${name}.${process.pid}.part`;
      await inScratch(async (cwd) => {
        await writeFile(join(cwd, 'file'), bytes, { mode: 0o644 });
        await sftp([enter, `put -f file ${part}`, `rename ${part} ${name}`], { cwd }).catch(async (error) => {
          // A server without posix-rename@openssh.com replaces nothing: a missing timestamp means "try later" to machines.
          if (!/rename/i.test(String(error))) throw error;
          await sftp([enter, `-rm ${name}`, `rename ${part} ${name}`]);
        });
      });
    },
    remove: async (names) => void (await sftp([enter, ...names.map((name) => `-rm ${name}`)])),
  };
}

interface SftpOptions {
  readonly cwd?: string;
  readonly onOutput?: (text: string) => void;
}

/** The longest that Node's timers know; a dead connection is noticed by ServerAlive. */
const NO_LIMIT_MS = 2 ** 31 - 1;

async function runBatch(
  place: SftpPlace,
  commands: readonly string[],
  options: SftpOptions,
): Promise<string> {
  const argv = [
    'sftp',
    ...['-b', '-', '-o', 'BatchMode=yes', '-o', 'ConnectTimeout=20'],
    ...['-o', 'ServerAliveInterval=15', '-o', 'ServerAliveCountMax=4'],
    ...(place.configFile === undefined ? [] : ['-F', place.configFile]),
    ...(place.port === undefined ? [] : ['-P', String(place.port)]),
    place.user === undefined ? place.host : `${place.user}@${place.host}`,
  ];
  const environment = place.agentSocket === undefined ? {} : { SSH_AUTH_SOCK: place.agentSocket };
  try {
    const { stdout } = await run(argv, {
      ...options,
      environment,
      input: `${commands.join('\n')}\n`,
      timeoutMs: NO_LIMIT_MS,
    });
    return stdout.toString('utf8');
  } catch (error) {
    throw refusal(place, error) ?? error;
  }
}

/** What trying again does not heal. */
function refusal({ host, path }: SftpPlace, error: unknown): SlipwayError | undefined {
  const text = error instanceof Error ? error.message : '';
  const refused = (message: string, hint: string): SlipwayError =>
    new SlipwayError('push.refused', message, { hint, cause: error });
  if (/Host key verification failed|HOST IDENTIFICATION HAS CHANGED/.test(text))
    return refused(
      `the host key of ${host} is not known, or another one`,
      `log in once with ssh ${host} and compare the fingerprint`,
    );
  if (/Permission denied \(|Too many authentication failures/.test(text))
    return refused(
      `${host} lets us not in`,
      'sftp must work without a question: a key in the agent, or in ~/.ssh/config',
    );
  if (/sftp is not installed/.test(text)) return refused('sftp is not installed', 'install openssh-client');
  if (/Permission denied|Read-only file system|No space left|Disk quota/i.test(text))
    return refused(
      `${host} cannot write to ${path}: ${lastLine(text)}`,
      'who may write there, and is there space?',
    );
  return undefined;
}

function uploadCommands({ name, sizeBytes }: LocalFile, present: ReadonlyMap<string, number>): string[] {
  const part = `.${name}.part`;
  const partBytes = present.get(part);
  const put =
    partBytes === sizeBytes
      ? []
      : [`${partBytes !== undefined && partBytes < sizeBytes ? 'reput' : 'put'} -f ${name} ${part}`];
  // A broken one is in the way of a server without posix-rename@openssh.com.
  const clear = present.has(name) ? [`-rm ${name}`] : [];
  return [...put, ...clear, `rename ${part} ${name}`];
}

/** sftp prints each command before it runs it: at a file's `rename`, its bytes are there. */
function watch(files: readonly LocalFile[], done: (file: LocalFile) => void): (text: string) => void {
  let printed = '';
  return (text) => {
    printed += text;
    for (const file of files) if (printed.includes(`rename .${file.name}.part`)) done(file);
    printed = printed.slice(printed.lastIndexOf('\n') + 1);
  };
}

/** `-rw-r--r--    ? user     group         123 Nov 22 04:22 name`: made by our sftp, whatever the server is. */
function parseListing(text: string): ReadonlyMap<string, number> {
  const lines = text.matchAll(/^-\S+\s.*\s(\d+) +[A-Z][a-z]{2} +\d+ +[\d:]+ (\S+)$/gm);
  return new Map(Array.from(lines, ([, sizeBytes, name]) => [name ?? '', Number(sizeBytes)]));
}

function missing(error: unknown): undefined {
  const text = error instanceof Error ? error.message : '';
  if (/No such file|not found/i.test(text) && !/sftp is not/.test(text)) return undefined;
  throw error;
}

function parents(path: string): readonly string[] {
  const parts = path.split('/').filter((part) => part !== '');
  const start = path.startsWith('/') ? '/' : '';
  return parts.map((_part, index) => start + parts.slice(0, index + 1).join('/'));
}

function quote(path: string): string {
  return `"${path.replace(/[\\"]/g, '\\$&')}"`;
}

function lastLine(text: string): string {
  return text.trimEnd().split('\n').at(-1) ?? '';
}

async function inScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-push-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
