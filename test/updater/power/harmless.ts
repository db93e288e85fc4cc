/**
 * Mutations that no power cut can punish, each with its reason; and those that the exploration has not caught and nobody has shown to be harmless. The second
 * table is a debt: it may only become shorter.
 */
const RENAMINGS = ['switch', 'confirm', 'fail', 'rollback', 'reconcile', 'retry'] as const;

const CHECKS_A_DISK =
  'it finds a disk that does not keep what it was given, which a power cut alone does not make (failures 12 and 21, test/updater/device/switch)';
const PLACE_IS_SYNCED =
  'the name was synced by sync-name, its place by sync-place; an old name that comes back is a second one of the same content, which cleaning parks';
const EMPTIED_FIRST =
  'what is removed from EFI/Linux was emptied before, and that made durable: a name that comes back has nothing behind it';
const OWN_DIRECTORY =
  'no boot loader looks into EFI/SLIPWAY, and what comes back there is removed or parked by the next phase';
const NOTE_ONLY =
  'the record only notes how far an attempt has come: what is on the disk decides (next-phase.ts)';
const REFUSED_EITHER_WAY =
  'a full ESP is refused a little earlier or later, and still before anything boots otherwise';
const NAME_IS_OLD =
  'the name was there before: only the record with its place changes, and syncing the file writes that';
const MAY_BE_LOST =
  'it is of a version that must not be started again: without its content it is not, and the other one is, as was wanted';
const EMPTY_NAME = 'an empty file is nothing to a boot loader, so it may be there before the record';
const SHORT_NAME = 'UKI.NEW is one record of its directory, in the sector that syncing the file writes';

export const HARMLESS: ReadonlyMap<string, string> = new Map([
  ...RENAMINGS.flatMap((phase) => renaming(phase)),
  ...tornName(
    'confirm',
    'torn, it is a short name of the version that has proven itself: without a counter, as was wanted; the next start names it anew (torn-name.ts)',
  ),
  ...tornName(
    'rollback',
    'torn, it is a short name of the version that still runs; the next start names it as given up, which the record says, and the one after is of the version from before (torn-name.ts)',
  ),
  ...tornName(
    'reconcile',
    'what is renamed there could not open its root (whatever else fails is renamed by fail, or counts down): under a torn name it asks for the other version again',
  ),
  ['without prepare.sync-linux', EMPTIED_FIRST],
  ['without prepare.sync-own', OWN_DIRECTORY],
  ['prepare.record before prepare.find-running', NOTE_ONLY],
  ['prepare.remove-others before prepare.record', NOTE_ONLY],
  ['prepare.sync-linux before prepare.remove-others', EMPTIED_FIRST],
  ['prepare.sync-own before prepare.sync-linux', OWN_DIRECTORY],
  ['prepare.zero-superblock before prepare.sync-own', OWN_DIRECTORY],
  ['without commit-slot.read-back', CHECKS_A_DISK],
  ['commit-slot.read-back before commit-slot.flush-superblock', CHECKS_A_DISK],
  ['commit-slot.record before commit-slot.read-back', CHECKS_A_DISK],
  ['without install.sync-clean', OWN_DIRECTORY],
  ['install.sync-clean before install.clean', OWN_DIRECTORY],
  ['install.check-space before install.sync-clean', REFUSED_EITHER_WAY],
  ['without install.check-space', REFUSED_EITHER_WAY],
  ['install.write before install.check-space', REFUSED_EITHER_WAY],
  ['without install.sync-directory', SHORT_NAME],
  ['install.sync-directory before install.sync-file', SHORT_NAME],
  ['install.drop-caches before install.sync-directory', SHORT_NAME],
  ['without install.drop-caches', CHECKS_A_DISK],
  ['without install.verify', CHECKS_A_DISK],
  ['install.verify before install.drop-caches', CHECKS_A_DISK],
  ['install.record before install.verify', CHECKS_A_DISK],
  ['without switch.sync-linux', EMPTIED_FIRST],
  ['without switch.sync-own', OWN_DIRECTORY],
  ['switch.sync-linux before switch.clean', EMPTIED_FIRST],
  ['switch.sync-own before switch.sync-linux', OWN_DIRECTORY],
  [
    'switch.clear-variables before switch.sync-own',
    'variables are no part of the ESP, and each is durable by itself',
  ],
  [
    'switch.record before switch.clear-variables',
    'both come before the new name, and neither depends on the other',
  ],
  ['switch.forget-attempt before switch.read-back', CHECKS_A_DISK],
  ['without confirm.sync-twins', EMPTIED_FIRST],
  ['without confirm.sync-own', OWN_DIRECTORY],
  ['confirm.sync-twins before confirm.remove-twins', EMPTIED_FIRST],
  ['confirm.sync-own before confirm.sync-twins', OWN_DIRECTORY],
  ['confirm.make-name before confirm.sync-own', OWN_DIRECTORY],
  ['confirm.record before confirm.read-back', CHECKS_A_DISK],
  ['without reconcile.sync-linux', EMPTIED_FIRST],
  ['without reconcile.sync-own', OWN_DIRECTORY],
  ['reconcile.sync-linux before reconcile.remove-leftovers', EMPTIED_FIRST],
  ['reconcile.sync-own before reconcile.sync-linux', OWN_DIRECTORY],
  ['reconcile.remove-leftovers before reconcile.read-back', CHECKS_A_DISK],
  ['without loader.drop-caches', CHECKS_A_DISK],
  ['without loader.verify', CHECKS_A_DISK],
  ['without loader.drop-caches-again', CHECKS_A_DISK],
  ['without loader.read-back', CHECKS_A_DISK],
  ['loader.verify before loader.drop-caches', CHECKS_A_DISK],
  ['loader.read-back before loader.drop-caches-again', CHECKS_A_DISK],
  ['without loader.sync-own', OWN_DIRECTORY],
  ['loader.sync-own before loader.sync-file', OWN_DIRECTORY],
  ['loader.drop-caches before loader.sync-own', OWN_DIRECTORY],
  ['without loader.sync-old', OWN_DIRECTORY],
  ['loader.sync-old before loader.sync-directory', OWN_DIRECTORY],
  ['loader.drop-caches-again before loader.sync-old', OWN_DIRECTORY],
  ['without loader.sync-directory', NAME_IS_OLD],
  ['loader.sync-directory before loader.sync-place', NAME_IS_OLD],
  ...['fail', 'rollback', 'reconcile'].flatMap((phase) => [
    [`without ${phase}.sync-place`, MAY_BE_LOST] as const,
    [`${phase}.sync-place before ${phase}.rename`, MAY_BE_LOST] as const,
  ]),
  ['switch.make-name before switch.record', EMPTY_NAME],
  ['rollback.make-name before rollback.record', EMPTY_NAME],
  ['reconcile.make-name before reconcile.record', EMPTY_NAME],
  [
    'without switch.forget-attempt',
    'an attempt at what runs is forgotten at the next start, and one at something else by the next preparation',
  ],
]);

/** Neither caught nor shown to be harmless. */
export const OPEN: ReadonlySet<string> = new Set<string>();

/** A torn new name leaves a short one, without a counter, and what that means depends on the version. */
function tornName(phase: string, why: string): readonly (readonly [string, string])[] {
  const step = (what: string): string => `${phase}.${what}`;
  return [
    [`without ${step('make-name')}`, why],
    [`without ${step('sync-name')}`, why],
    [`${step('sync-name')} before ${step('make-name')}`, why],
    [`${step('rename')} before ${step('sync-name')}`, why],
  ];
}

function renaming(phase: string): readonly (readonly [string, string])[] {
  const step = (what: string): string => `${phase}.${what}`;
  return [
    [`without ${step('sync-new-directory')}`, PLACE_IS_SYNCED],
    [`without ${step('sync-old-directory')}`, PLACE_IS_SYNCED],
    [`${step('sync-new-directory')} before ${step('sync-place')}`, PLACE_IS_SYNCED],
    [`${step('sync-old-directory')} before ${step('sync-new-directory')}`, PLACE_IS_SYNCED],
    [`without ${step('drop-caches')}`, CHECKS_A_DISK],
    [`without ${step('read-back')}`, CHECKS_A_DISK],
    [`${step('drop-caches')} before ${step('sync-old-directory')}`, CHECKS_A_DISK],
    [`${step('read-back')} before ${step('drop-caches')}`, CHECKS_A_DISK],
  ];
}
