/** What the user is told when packages cannot be fetched. */
import { SlipwayError } from '../../spec/error.ts';
import type { LockedPackage } from '../lock/lock-file.ts';
import { diskFull } from './disk-full.ts';
import type { DownloadFault } from './download-fault.ts';

export interface FetchFailure {
  readonly locked: LockedPackage;
  readonly fault: DownloadFault | { readonly kind: 'disk-full' };
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
    case 'disk-full':
      return diskFull();
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
