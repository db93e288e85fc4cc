/** What the plan must know of the machine. Plain JSON; apply/facts.ts gathers it. */
import type { MachineDescription } from '../../../spec/machine.ts';
import type { DatasourceName } from '../../../spec/provisioning.ts';

export interface MachineFacts {
  readonly source: DatasourceName;
  readonly instanceId: string;
  readonly platform: {
    /** `local-hostname` of the meta-data. */
    readonly hostname: string | null;
    /** Already checked: public keys alone. */
    readonly publicKeys: readonly string[];
  };
  readonly image: {
    readonly users: MachineDescription['users'];
    /** Names. */
    readonly services: readonly string[];
    readonly sshServer: 'openssh' | 'dropbear' | null;
  };
  /** The image's base files: by name. */
  readonly accounts: {
    readonly users: Readonly<Record<string, number>>;
    readonly groups: Readonly<Record<string, number>>;
  };
  readonly remembered: RememberedIds;
  /** What the machine calls itself without a configuration. */
  readonly defaultHostname: string;
  readonly memoryBytes: number;
  /** Free on the state partition, a present swap file included. */
  readonly stateFreeBytes: number;
  /** Absolute paths, of those that a plan may need. */
  readonly programs: readonly string[];
  readonly disks: readonly DiskFacts[];
}

/** Files belong to numbers for ever: who once had one keeps it, also while no configuration names him. */
export interface RememberedIds {
  readonly users: Readonly<Record<string, number>>;
  readonly groups: Readonly<Record<string, number>>;
}

export interface DiskFacts {
  /** `/dev/vdb`. */
  readonly path: string;
  /** Other names of it: `/dev/disk/by-id/...` has no meaning here, `serial` has. */
  readonly serial: string | null;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  /** The disk that this machine was started from. */
  readonly own: boolean;
  readonly readOnly: boolean;
  /** Mounted, swapped to, or part of another device: itself, not its partitions. */
  readonly inUse: boolean;
  readonly table: {
    readonly kind: 'gpt' | 'mbr';
    /** Disk GUID or MBR signature. */
    readonly id: string;
  } | null;
  /** Of the disk as a whole, where it has no table. */
  readonly content: Content;
  readonly partitions: readonly PartitionFacts[];
}

export interface PartitionFacts {
  readonly number: number;
  readonly path: string;
  readonly startSector: number;
  readonly sectors: number;
  /** GUID, or a byte in hexadecimal. */
  readonly type: string;
  readonly inUse: boolean;
  readonly content: Content;
}

/** What a device holds, by its first and last bytes. `data`: something that is not known. */
export type Content =
  | { readonly kind: 'empty' }
  | { readonly kind: 'data' }
  | {
      readonly kind: 'known';
      /** As mount and blkid call it: `ext4`, `vfat`, `swap`, `crypto_LUKS`, ... */
      readonly type: string;
      readonly label: string;
      readonly uuid: string;
    };
