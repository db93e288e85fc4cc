/**
 * Cards that have more addresses than DHCP gives them, as clouds hand them out beside the first one: EC2's secondary private addresses, Azure's further
 * IP configurations. As cloud-init's sources do it: DHCP for the first address, the others static, the first card's route before those of the others.
 */
import type { Json } from './found.ts';

export interface CloudCard {
  readonly mac: string;
  /** With their prefixes: all but the first. */
  readonly further: readonly string[];
  readonly dhcp6: boolean;
}

const FIRST_METRIC = 100;

/** `undefined` where DHCP on every card, which a machine does without being told, is all there is to do. `cards`: in the platform's order. */
export function furtherAddresses(cards: readonly CloudCard[]): string | undefined {
  if (cards.every(({ further }) => further.length === 0)) return undefined;
  const ethernets = cards.map(({ mac, further, dhcp6 }, index): readonly [string, Json] => {
    const overrides = { 'route-metric': FIRST_METRIC * (index + 1) };
    return [
      `card${index}`,
      {
        match: { macaddress: mac },
        dhcp4: true,
        'dhcp4-overrides': overrides,
        ...(dhcp6 ? { dhcp6: true, 'dhcp6-overrides': overrides } : {}),
        ...(further.length === 0 ? {} : { addresses: further }),
      },
    ];
  });
  return JSON.stringify({ version: 2, ethernets: Object.fromEntries(ethernets) });
}
