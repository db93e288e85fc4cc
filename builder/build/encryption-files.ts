/** What an image whose state is encrypted holds beside its packages: the scripts, and the key whose signatures of PCR 11 count. */
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { bootScript } from '../own-files.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { textFile } from '../tree/skeleton.ts';

const SCRIPTS = `${MACHINE_PATHS.programs}/boot`;

/** A machine takes the key from here alone: what the boot loader leaves in /.extra may be anybody's. */
export function encryptionFiles(publicKey: string): TreeEntry[] {
  return [
    textFile(`${MACHINE_PATHS.programs}/pcr-public-key.pem`, publicKey, 'slipway'),
    textFile(`${SCRIPTS}/encrypted-state`, bootScript('encrypted-state'), 'slipway'),
    textFile(`${SCRIPTS}/state-convert`, bootScript('state-convert'), 'slipway'),
    textFile(`${SCRIPTS}/state-unlock`, bootScript('state-unlock'), 'slipway', 0o755),
  ];
}
