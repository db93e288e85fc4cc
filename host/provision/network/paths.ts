/** Where the network's plan and the service's answers stand; all of it lives as long as a boot. */
export const NETWORK_PATHS = {
  /** Mounted into the service. */
  directory: '/run/slipway/network',
  /** NetworkPlan.text; without it, every Ethernet card gets DHCP. */
  plan: '/run/slipway/network/plan',
  /** `KERNEL-NAME NAME` a line, in the order of the cards' places; host/boot/name-cards writes it. */
  kernelNames: '/run/slipway/network/kernel-names',
  /** The service's own. */
  state: '/run/slipway/network/state',
  /** One problem a line; empty while all is well. */
  problems: '/run/slipway/network/state/problems',
} as const;

/** Its name in every image. */
export const NETWORK_SERVICE = 'network';
