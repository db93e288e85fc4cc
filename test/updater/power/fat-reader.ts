/**
 * Reads FAT32 as firmware does: from the medium alone, by the specification (Microsoft, 1.03), and without a line of vfat.ts. A directory ends at its first
 * unused entry; a long name counts only with all its parts and the right checksum.
 */
export interface FirmwareFile {
  readonly name: string;
  readonly directory: boolean;
  readonly sizeBytes: number;
  readonly firstCluster: number;
}

export interface FirmwareFat {
  /** `undefined`: no such directory, or one that cannot be read. Path parts by any case. */
  readonly list: (path: string) => readonly FirmwareFile[] | undefined;
  /** `undefined`: its chain of clusters is broken. */
  readonly content: (file: FirmwareFile, limitBytes?: number) => Buffer | undefined;
  /** Clusters that are taken, and by no file: a cut removal leaves some, and only a file system check brings them back. */
  readonly lostClusters: () => number;
  /** Files and directories that share a cluster with another; those that are `left` out of it may. */
  readonly crossLinked: (left?: RegExp) => readonly string[];
}

const DIRECTORY_LIMIT_BYTES = 65_536;

export function openFat(sector: (number: number) => Uint8Array): FirmwareFat {
  const bpb = Buffer.from(sector(0));
  const perCluster = bpb.readUInt8(13);
  const tableStart = bpb.readUInt16LE(14);
  const dataStart = tableStart + bpb.readUInt8(16) * bpb.readUInt32LE(36);
  const clusterCount = Math.floor((bpb.readUInt32LE(32) - dataStart) / perCluster);
  const rootCluster = bpb.readUInt32LE(44);

  const follow = (cluster: number): number =>
    Buffer.from(sector(tableStart + (cluster >> 7))).readUInt32LE((cluster & 127) << 2) & 0x0fffffff;

  /** Up to `bytes`, or to the end of the chain where that comes first and `exact` does not forbid it. */
  const collect = (first: number, bytes: number, exact: boolean): Buffer | undefined => {
    const parts: Uint8Array[] = [];
    let cluster = first;
    while (parts.length * 512 < bytes) {
      if (cluster >= 0x0ffffff8) return exact ? undefined : Buffer.concat(parts);
      if (cluster < 2 || cluster > clusterCount + 1) return undefined;
      const from = dataStart + (cluster - 2) * perCluster;
      for (let index = 0; index < perCluster; index++) parts.push(sector(from + index));
      cluster = follow(cluster);
    }
    return Buffer.concat(parts).subarray(0, bytes);
  };

  const read = (cluster: number): readonly FirmwareFile[] | undefined => {
    const raw = collect(cluster, DIRECTORY_LIMIT_BYTES, false);
    return raw === undefined ? undefined : parseDirectory(raw);
  };

  /** Every cluster of every chain, with the path that it belongs to. */
  const owners = (left?: RegExp): { owned: Map<number, string>; crossed: string[] } => {
    const owned = new Map<number, string>();
    const crossed: string[] = [];
    const claim = (first: number, path: string): void => {
      if (left?.test(path) === true) return;
      for (let cluster = first; cluster >= 2 && cluster <= clusterCount + 1; cluster = follow(cluster)) {
        if (owned.has(cluster)) return void crossed.push(path);
        owned.set(cluster, path);
      }
    };
    const visit = (cluster: number, path: string): void => {
      claim(cluster, path);
      for (const file of read(cluster) ?? []) {
        if (/^\.+$/.test(file.name)) continue;
        if (file.directory) visit(file.firstCluster, `${path}/${file.name}`);
        else claim(file.firstCluster, `${path}/${file.name}`);
      }
    };
    visit(rootCluster, '');
    return { owned, crossed };
  };

  return {
    lostClusters: () => {
      const { owned } = owners();
      let lost = 0;
      for (let cluster = 2; cluster <= clusterCount + 1; cluster++)
        if (follow(cluster) !== 0 && !owned.has(cluster)) lost++;
      return lost;
    },
    crossLinked: (left) => owners(left).crossed,
    list: (path) => {
      let cluster = rootCluster;
      for (const part of path.split('/').filter((piece) => piece !== '')) {
        const next = read(cluster)?.find(
          (file) => file.directory && file.name.toLowerCase() === part.toLowerCase(),
        );
        if (next === undefined) return undefined;
        cluster = next.firstCluster;
      }
      return read(cluster)?.filter(({ name }) => !/^\.+$/.test(name));
    },
    content: (file, limitBytes = Infinity) =>
      file.sizeBytes === 0
        ? Buffer.alloc(0)
        : collect(file.firstCluster, Math.min(file.sizeBytes, limitBytes), true),
  };
}

function parseDirectory(raw: Buffer): readonly FirmwareFile[] {
  const files: FirmwareFile[] = [];
  let parts: { order: number; sum: number; text: string }[] = [];
  for (let at = 0; at + 32 <= raw.length; at += 32) {
    const entry = raw.subarray(at, at + 32);
    const marker = entry[0]!;
    if (marker === 0) break;
    const attributes = entry[11]!;
    if (marker === 0xe5) parts = [];
    else if ((attributes & 0x3f) === 0x0f)
      parts.push({ order: marker, sum: entry[13]!, text: longText(entry) });
    else {
      const name = longName(parts, entry) ?? shortName(entry);
      parts = [];
      if ((attributes & 8) === 0)
        files.push({
          name,
          directory: (attributes & 16) !== 0,
          sizeBytes: entry.readUInt32LE(28),
          firstCluster: (entry.readUInt16LE(20) << 16) | entry.readUInt16LE(26),
        });
    }
  }
  return files;
}

function longName(
  parts: readonly { readonly order: number; readonly sum: number; readonly text: string }[],
  entry: Buffer,
): string | undefined {
  // What is directly before the entry, from the record that is marked as the last part of the name.
  const start = parts.findLastIndex(({ order }) => (order & 0x40) !== 0);
  if (start < 0) return undefined;
  const own = parts.slice(start);
  const expected = shortSum(entry);
  const isWhole = own.every(
    (part, index) => (part.order & 0x1f) === own.length - index && part.sum === expected,
  );
  return isWhole
    ? [...own]
        .reverse()
        .map(({ text }) => text)
        .join('')
    : undefined;
}

function shortSum(entry: Buffer): number {
  return entry.subarray(0, 11).reduce((sum, byte) => (((sum >>> 1) | ((sum & 1) << 7)) + byte) & 0xff, 0);
}

function longText(entry: Buffer): string {
  const text = Buffer.concat([
    entry.subarray(1, 11),
    entry.subarray(14, 26),
    entry.subarray(28, 32),
  ]).toString('utf16le');
  return text.split('\0')[0]!.replaceAll('\uffff', '');
}

function shortName(entry: Buffer): string {
  const base = entry.toString('latin1', 0, 8).trimEnd();
  const extension = entry.toString('latin1', 8, 11).trimEnd();
  return extension === '' ? base : `${base}.${extension}`;
}
