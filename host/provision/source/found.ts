/** What a datasource gives: documents as bytes, and what the platform says of the machine. */
import type { DatasourceName } from '../../../spec/provisioning.ts';

/** The documents of an offline source as they lie there, for comparing with the adopted copies: nothing in them was read yet. */
export interface Seed {
  readonly source: DatasourceName;
  /** For people: `/dev/vdb (cidata)`, `QEMU fw_cfg`. */
  readonly origin: string;
  readonly documents: Documents;
  /** What `ds=nocloud;...` says; it goes before the same in the meta-data. */
  readonly line?: NoCloudLine;
  /** `cloud-config-url=` */
  readonly configUrl?: string;
  /** Worth knowing, but no fault: `/dev/vdc has the label cidata, too, with the same content`. */
  readonly notes: readonly string[];
}

export interface Documents {
  readonly userData?: Uint8Array;
  readonly vendorData?: Uint8Array;
  readonly networkConfig?: Uint8Array;
  /** As the source has it: YAML (NoCloud) or JSON. */
  readonly rawMetaData?: Uint8Array;
}

/** `ds=nocloud;s=...;h=...;i=...` of SMBIOS or of the kernel's command line. */
export interface NoCloudLine {
  /** Ends in `/`. */
  readonly seedFrom?: string;
  readonly localHostname?: string;
  readonly instanceId?: string;
}

/** A source that was read as a whole. Plain data: it survives JSON, but for the bytes. */
export interface Found extends Documents {
  readonly source: DatasourceName;
  /** For people: `/dev/vdb (cidata)`, `http://169.254.169.254/`. */
  readonly origin: string;
  /** Decides what runs once; `nocloud` where the source names none. */
  readonly instanceId: string;
  readonly metaData: MetaData;
  /** What the platform says of the machine, for `slip config status`. */
  readonly platformFacts: PlatformFacts;
  /** Of an offline source: its documents as they lie there, to be kept and compared with what `lookOffline` finds at the next boot. */
  readonly seed?: Documents;
  readonly notes: readonly string[];
}

export interface MetaData {
  readonly localHostname?: string;
  /** OpenSSH lines of the platform's, for the default user. */
  readonly publicKeys: readonly string[];
  /** For `## template: jinja`: `v1.*` and `ds.meta_data.*`, as cloud-init names them. */
  readonly variables: Readonly<Record<string, Json>>;
}

export interface PlatformFacts {
  /** As cloud-init's `v1.cloud_name`: `aws`, `gce`, `azure`, `openstack`, `vmware`, `digitalocean`, `hetzner`, `nocloud`, ... */
  readonly cloudName: string;
  readonly region?: string;
  readonly availabilityZone?: string;
  readonly instanceType?: string;
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** One for all asking over the network: when it is spent, no request is begun, and none goes on. */
export interface Budget {
  /** On the clock of `System.uptimeMs`. */
  readonly endsAtMs: number;
}
