/** The os-release of a UKI and its root (os-release(5)). */

export interface OsRelease {
  /** Name of the image definition. */
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/**
 * systemd-boot orders entries by IMAGE_ID, then IMAGE_VERSION, and by nothing in the file's name. So IMAGE_ID is the same in every image, and the
 * image's name stands in VARIANT_ID (measured: with the name there, image `aaa` would boot before `zzz` whatever their versions).
 */
export function osRelease({ name, version, architecture }: OsRelease): string {
  const fields: readonly (readonly [string, string])[] = [
    ['ID', 'slipway'],
    ['ID_LIKE', 'debian'],
    ['NAME', 'Slipway'],
    ['PRETTY_NAME', `Slipway ${name} ${version}`],
    ['IMAGE_ID', 'slipway'],
    ['IMAGE_VERSION', version],
    ['VERSION_ID', version],
    ['VARIANT_ID', name],
    ['ARCHITECTURE', architecture],
  ];
  return fields.map(([key, value]) => `${key}=${quote(value)}\n`).join('');
}

/** The fields of an os-release, unquoted. */
export function parseOsRelease(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^([A-Z0-9_]+)=(?:"([^"]*)"|'([^']*)'|(\S*))\s*$/.exec(line);
    if (match?.[1] !== undefined) fields.set(match[1], match[2] ?? match[3] ?? match[4] ?? '');
  }
  return fields;
}

function quote(value: string): string {
  return /^[\w.~-]+$/.test(value) ? value : `"${value.replaceAll(/["$`\\]/g, '\\$&')}"`;
}
