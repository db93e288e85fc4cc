/**
 * What Slipway keeps on the EFI system partition beside boot loader and UKIs. The builder makes it, so that a machine need never make a directory there: vfat
 * does that in two sectors, and a power cut between them leaves one whose cluster counts as free.
 */

/** Ours, where no boot loader looks. */
export const ESP_OWN = 'EFI/SLIPWAY';
/** A copy of the committed UKI; upper case and 8.3: such a name is one entry of the directory, in one sector. */
export const UKI_COPY = `${ESP_OWN}/UKI.CPY`;

/** The copy as an entry of systemd-boot's (UAPI.1, type 1), which is none as long as there is no copy. Without a sort-key it comes last. */
export const COPY_ENTRY = {
  name: 'slipway-copy.conf',
  path: 'loader/entries/slipway-copy.conf',
  text: `title Slipway, the copy\nversion 0\nefi /${UKI_COPY}\n`,
} as const;

/** It holds the directory, and tells who looks there. */
export const OWN_README = {
  path: `${ESP_OWN}/README.TXT`,
  text: 'Of the updater: what is being installed, and a copy of the UKI that runs.\r\n',
} as const;
