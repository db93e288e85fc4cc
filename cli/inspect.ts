/** `slipway inspect`: what a disk, UKI, root or verity tree holds. */
import { Command } from 'commander';
import { inspectArtifact, type Inspection } from '../builder/inspect/inspect.ts';
import type { TrustAnchor } from '../builder/inspect/pe.ts';
import { inspectionText } from '../builder/inspect/text.ts';
import { loadKeys } from '../builder/keys/load.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('Shows what a disk, UKI, root or verity tree holds, and who signed it.')
    .argument('<artifact>', 'a .raw, .efi, .root.erofs or .verity')
    .option('--keys <directory>', 'also say whether these keys trust its signatures')
    .option('--json', 'print JSON')
    .action(async (artifact: string, options: { keys?: string; json?: true }) => {
      const anchors = options.keys === undefined ? undefined : await trustAnchors(options.keys);
      const inspection: Inspection = await inspectArtifact(artifact, anchors);
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ format: '1.0', ...inspection }, undefined, 2)}\n`
          : inspectionText(inspection),
      );
    });
}

async function trustAnchors(directory: string): Promise<readonly TrustAnchor[]> {
  const { sets } = await loadKeys(directory);
  return [
    { name: 'release', certificate: sets.release.db.certificate },
    { name: 'debug', certificate: sets.debug.db.certificate },
  ];
}
