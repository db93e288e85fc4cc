/** The nouns of the switch: slots, and what runs. */

export type SlotName = 'a' | 'b';

/** What booted, from what the signed initrd wrote under /run/slipway/boot: never from a variable or a file name (failure 23). */
export interface RunningVersion {
  readonly image: string;
  readonly version: string;
  readonly architecture: string;
  readonly rootHash: string;
  readonly slot: SlotName;
  /** systemd-boot counts this boot. */
  readonly trial: boolean;
}

export function otherSlot(slot: SlotName): SlotName {
  return slot === 'a' ? 'b' : 'a';
}
