/** The one table of keys: what is read, when it is applied, which right it takes. In the order in which they are read. */
import type { Right } from '../../../spec/provisioning.ts';
import { ACCEPTED_KEYS } from './accepted.ts';
import { CLOCK_KEYS } from './clock.ts';
import { COMMAND_KEYS } from './commands.ts';
import { DISK_KEYS } from './disks.ts';
import { FILE_KEYS } from './files.ts';
import { FINISH_KEYS } from './finish.ts';
import { HOST_NAME_KEYS } from './host-name.ts';
import { INSTALL_KEYS } from './install.ts';
import type { Key } from './key.ts';
import { SERVICE_KEYS } from './services.ts';
import { SSH_KEYS } from './ssh.ts';
import { TRUST_KEYS } from './trust.ts';
import { UPDATE_KEYS } from './update.ts';
import { USER_KEYS } from './users.ts';

export const KEYS: readonly Key[] = [
  ...USER_KEYS,
  ...SSH_KEYS,
  ...HOST_NAME_KEYS,
  ...FILE_KEYS,
  ...DISK_KEYS,
  ...CLOCK_KEYS,
  ...TRUST_KEYS,
  ...SERVICE_KEYS,
  ...UPDATE_KEYS,
  ...INSTALL_KEYS,
  ...COMMAND_KEYS,
  ...FINISH_KEYS,
  ...ACCEPTED_KEYS,
];

const byName = new Map(
  KEYS.flatMap((key) => [key.name, ...(key.aliases ?? [])].map((name) => [name, key] as const)),
);

/** By its name, or another spelling of it. */
export function keyNamed(name: string): Key | undefined {
  return byName.get(name);
}

/** What a source must be allowed for this key to be heard; scripts of their own (`script NAME`) need `scripts`. */
export function rightOf(name: string): Right | null {
  return name.startsWith('script') ? 'scripts' : (keyNamed(name)?.right ?? null);
}
