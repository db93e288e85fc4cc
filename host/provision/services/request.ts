/** What is asked of the program for services, and what it says. Plain JSON. */
import type { Diagnostic } from '../../../spec/diagnostic.ts';
import type { MachineService } from '../../../spec/machine.ts';
import type { Right } from '../../../spec/provisioning.ts';
import type { Place } from '../config.ts';
import type { PackedEntries } from './pack.ts';

export interface ServicesRequest {
  readonly format: '1.0';
  /** `check`: diagnostics alone, nothing is touched. */
  readonly kind: 'check' | 'prepare';
  readonly entries: PackedEntries;
  /** Of the source that they come from. */
  readonly rights: readonly Right[];
  /** `no`: images that must be fetched stay `pending`. */
  readonly network: 'yes' | 'no';
  /** Bundles that run now, or may have to again (`slip config apply --try`): they stay on the disk, with their images. */
  readonly inUse: readonly string[];
}

export type ProvisionedService = MachineService & { readonly bundle: string };

export interface ServiceOutcome {
  readonly name: string;
  readonly at: Place;
  /** `pending`: well later, with the network. */
  readonly state: 'applied' | 'pending' | 'failed';
  /** In one line. */
  readonly reason: string | null;
}

export interface ServicesResult {
  readonly format: '1.0';
  /** In the order of the configuration; what ProvisionedMachine gets. */
  readonly services: readonly ProvisionedService[];
  /** One for each entry. */
  readonly outcomes: readonly ServiceOutcome[];
  /** Faults and warnings of what is written, with their lines. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Where things are kept; other places in tests. */
export interface ServicePaths {
  /** Images that were unpacked. */
  readonly images: string;
  /** `<name>/<digest>/`: bundles. */
  readonly bundles: string;
  /** `<name>/rootfs`: roots of the image's own services. */
  readonly containers: string;
  /** Where slipd mounts the roots (spec/machine.ts). */
  readonly overlays: string;
  /** Compiled seccomp filters of the image: PROVISIONING_PATHS.serviceFilters. */
  readonly filters: string;
}
