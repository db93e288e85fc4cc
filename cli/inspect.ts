/** `slipway inspect`: what a disk, UKI, root or verity tree holds. */
import { Command } from 'commander';
import { SlipwayError } from '../spec/error.ts';
import { inspectArtifact, type Inspection } from '../builder/inspect/inspect.ts';
import type { PeReport, TrustAnchor } from '../builder/inspect/pe.ts';
import { inspectionText } from '../builder/inspect/text.ts';
import { loadKeys } from '../builder/keys/load.ts';

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('Shows what a disk, UKI, root or verity tree holds, and who signed it.')
    .argument('<artifact>', 'a .raw, .efi, .root.erofs or .verity')
    .option('--keys <directory>', 'also say whether these keys trust its signatures')
    .option('--verify', 'read every block of a disk’s roots, and fail unless all is as it was signed')
    .option('--json', 'print JSON')
    .action(async (artifact: string, options: { keys?: string; verify?: true; json?: true }) => {
      const inspection: Inspection = await inspectArtifact(artifact, {
        ...(options.keys === undefined ? {} : { anchors: await trustAnchors(options.keys) }),
        check: options.verify === true ? 'contents' : 'structure',
      });
      process.stdout.write(
        options.json === true
          ? `${JSON.stringify({ format: '1.0', ...inspection }, undefined, 2)}\n`
          : inspectionText(inspection),
      );
      if (options.verify === true && (inspection.kind === 'root' || inspection.kind === 'verity')) {
        throw new SlipwayError(
          'usage.verify',
          `--verify needs a disk or a UKI: nothing in ${artifact} is signed`,
        );
      }
      // Whoever asked for proof in a script wants it in the exit code.
      if (options.verify === true && !isSound(inspection)) {
        throw new SlipwayError('inspect.damaged', `${artifact} is not what was signed`);
      }
    });
}

/** Every program signed and unchanged, every filled slot intact, nothing unreadable. */
function isSound(inspection: Inspection): boolean {
  if (inspection.kind === 'disk') {
    return (
      inspection.problems.length === 0 &&
      inspection.programs.every(isSigned) &&
      inspection.slots.every((slot) => slot.state === 'empty' || slot.intact === true)
    );
  }
  return inspection.kind === 'uki' || inspection.kind === 'pe' ? isSigned(inspection) : true;
}

/** By anybody, or, where keys were named, by one of them. */
function isSigned({ signatures }: PeReport): boolean {
  return (
    signatures.length > 0 &&
    signatures.every(({ valid, trustedBy }) => valid && (trustedBy === undefined || trustedBy.length > 0))
  );
}

async function trustAnchors(directory: string): Promise<readonly TrustAnchor[]> {
  const { sets } = await loadKeys(directory);
  return [
    { name: 'release', certificate: sets.release.db.certificate },
    { name: 'debug', certificate: sets.debug.db.certificate },
  ];
}
