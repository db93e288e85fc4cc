/** What the user is told when packages cannot be fetched. */
import { SlipwayError } from '../../spec/error.ts';
import type { LockedPackage } from '../lock/lock-file.ts';
import type { DownloadFault } from './download.ts';

export interface FetchFailure {
  readonly locked: LockedPackage;
  readonly fault: DownloadFault | { readonly kind: 'disk-full'; readonly folder: string };
}

type Kind = FetchFailure['fault']['kind'];

/** The gravest kind first: it decides the code and the remedy. */
const KINDS: readonly Kind[] = ['disk-full', 'unreachable', 'changed', 'absent'];

export function fetchFailure(failures: readonly FetchFailure[]): SlipwayError {
  const kind = KINDS.find((each) => failures.some(({ fault }) => fault.kind === each)) ?? 'absent';
  const concerned = failures.filter(({ fault }) => fault.kind === kind);
  const names = concerned.map(({ locked }) => `${locked.name} ${locked.version}`).sort();
  const [first] = concerned;
  const detail = first !== undefined && 'detail' in first.fault ? first.fault.detail : '';
  switch (kind) {
    case 'disk-full': {
      const folder = first?.fault.kind === 'disk-full' ? first.fault.folder : '';
      return new SlipwayError('cache.disk-full', `the disk that holds the cache ${folder} is full`, {
        hint: 'free some space, or name a folder on another disk in SLIPWAY_CACHE; what was fetched so far is kept',
      });
    }
    case 'unreachable':
      return new SlipwayError(
        'debian.unreachable',
        `${names.join(', ')} is not in the cache and cannot be fetched: ${detail}`,
        {
          hint: "check the network and the mirror's address, or give the file through the image's `inputs:` (slipway lock --vendor)",
        },
      );
    case 'changed':
      return new SlipwayError(
        'debian.package-changed',
        `the mirror holds another file as ${names.join(', ')}: ${detail}`,
        {
          hint: 'if the mirror is right, lock anew with `slipway lock`; else use another mirror',
        },
      );
    case 'absent':
      return new SlipwayError(
        'debian.package-gone',
        `the mirror no longer holds ${names.join(', ')}, which the lock names`,
        {
          hint: 'lock the newest versions with `slipway lock`, or give the files through `inputs:` (a folder that `slipway lock --vendor` wrote)',
        },
      );
  }
}
