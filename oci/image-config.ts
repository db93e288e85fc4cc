/** What an OCI image says about running it (image-spec config.md), parsed; Docker's health check extension included. */

export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly workingDir?: string;
  readonly stopSignal?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** `rootfs.diff_ids`: digests of the uncompressed layers, in order. */
  readonly diffIds: readonly string[];
}
