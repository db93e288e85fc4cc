/** What kind of machine a disk image is for, from its partition table alone. */
import type { Architecture } from '../../spec/image.ts';
import { PARTITIONS } from '../../spec/layout.ts';
import { decodeGpt, GPT_HEAD_BYTES, type SectorSize } from '../gpt/table.ts';
import { withFile } from './source.ts';

const ARCHITECTURES: readonly Architecture[] = ['amd64', 'arm64'];

/** The type of a root partition names the architecture (Discoverable Partitions Specification). Nothing of a disk that is not ours. */
export async function diskKind(
  path: string,
): Promise<{ readonly architecture: Architecture; readonly sectorSize: SectorSize } | undefined> {
  return withFile(path, async (source) => {
    const table = decodeGpt(
      await source.read(0, Math.min(GPT_HEAD_BYTES, source.sizeBytes)),
      source.sizeBytes,
    );
    const root = PARTITIONS.find(({ name }) => name === 'root-a');
    const type = table?.partitions.find(({ name }) => name === root?.name)?.typeGuid;
    const architecture = ARCHITECTURES.find((each) => root?.typeGuid(each) === type);
    if (table === undefined || architecture === undefined) return undefined;
    return { architecture, sectorSize: table.sectorSize };
  });
}
