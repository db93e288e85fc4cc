/**
 * The assets of one release on GitHub (REST API, "Releases" and "Release assets"): a flat list of names, which consistent-snapshot names fit. Machines fetch
 * from `https://github.com/OWNER/REPOSITORY/releases/download/TAG`. An asset appears when it is whole, and no name is given twice: so timestamp.json, alone
 * in having a new content, is sent under another name; then the old one is deleted and the new one renamed. Between these two requests there is none, which
 * clients take for "try later" (docs/repository-format.md).
 */
import { parseFileName } from '../repository/layout.ts';
import { contentType, readWhole } from './content.ts';
import type { GitHubRequests, ReleaseAsset } from './github-requests.ts';
import type { PushTarget } from './target.ts';

/** The new timestamp on its way. No name of a repository's file. */
const COMING = 'timestamp.json.coming';

export function gitHubTarget(address: string, requests: GitHubRequests): PushTarget {
  /** As last listed; what is sent and removed is kept up to date here. */
  let assets = new Map<string, ReleaseAsset>();
  const relist = async (): Promise<void> => {
    assets = new Map((await requests.list()).map((asset) => [asset.name, asset]));
  };
  const drop = async (name: string): Promise<void> => {
    const asset = assets.get(name);
    if (asset !== undefined) await requests.remove(asset.id);
    assets.delete(name);
  };
  const send = async (name: string, bytes: Uint8Array): Promise<ReleaseAsset> => {
    // An upload that was cut off leaves a name without content, and one of another size was damaged.
    if (assets.has(name)) await drop(name);
    const asset = await requests.upload(name, bytes, contentType(name)).catch(async (error: unknown) => {
      // It may have arrived all the same, its answer not: the next attempt knows of it.
      await relist().catch(() => undefined);
      throw error;
    });
    assets.set(name, asset);
    return asset;
  };

  return {
    address,
    // More at a time, and GitHub's limits for content that is created come into play.
    parallel: 3,
    batch: 1,
    list: async () => {
      await relist();
      const whole = [...assets.values()].filter(
        ({ name, state }) => state === 'uploaded' && parseFileName(name) !== undefined,
      );
      return new Map(whole.map(({ name, sizeBytes }) => [name, sizeBytes]));
    },
    read: async (name) => {
      if (!assets.has(name)) await relist();
      const asset = assets.get(name);
      return asset?.state === 'uploaded' ? requests.read(asset.id) : undefined;
    },
    upload: async (files, done) => {
      await requests.ensureRelease();
      for (const file of files) {
        const there = assets.get(file.name);
        if (there?.state !== 'uploaded' || there.sizeBytes !== file.sizeBytes)
          await send(file.name, await readWhole(file));
        done(file);
      }
    },
    replace: async (name, bytes) => {
      await requests.ensureRelease();
      await relist();
      const coming = await send(COMING, bytes);
      await drop(name);
      await requests.rename(coming.id, name);
      assets.delete(COMING);
      assets.set(name, { ...coming, name });
    },
    remove: async (names) => {
      for (const name of names) await drop(name);
    },
  };
}
