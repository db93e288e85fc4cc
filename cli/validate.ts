/** `slipway validate`: all faults of image definitions and service files at once. */
import { join } from 'node:path';
import { Command } from 'commander';
import { DiagnosticsError, formatDiagnostic, type Diagnostic } from '../spec/diagnostic.ts';
import { diskFiles } from '../spec/input-files.ts';
import { fileKind, loadImage, loadServiceFile } from '../spec/load.ts';

export interface ValidateResult {
  readonly files: readonly { readonly file: string; readonly kind: 'image' | 'services' | 'unknown' }[];
  readonly diagnostics: readonly Diagnostic[];
}

/** The `validate` subcommand, for cli/main.ts. */
export function validateCommand(): Command {
  return new Command('validate')
    .description('check image definitions and service files: all faults at once')
    .argument('<file...>', 'image definitions, service files, folders with a compose.yaml')
    .option('--profile <name>', 'activate a profile (may be given several times)', collect)
    .option('--json', 'print the diagnostics as JSON')
    .action(async (files: string[], options: { profile?: string[]; json?: boolean }) => {
      const result = await validate(files, options.profile);
      if (hasErrors(result.diagnostics)) throw new DiagnosticsError(result.diagnostics);
      process.stdout.write(options.json === true ? `${JSON.stringify(result, null, 2)}\n` : render(result));
    });
}

/** Loads each file as what it is. A fault in a file that several include is told once. */
export async function validate(
  files: readonly string[],
  profiles: readonly string[] = [],
): Promise<ValidateResult> {
  const kinds: ValidateResult['files'][number][] = [];
  const diagnostics = new Map<string, Diagnostic>();
  for (const named of files) {
    // A folder stands for the service file in it, as in `include:`.
    const file = (await diskFiles.kindOf(named)) === 'folder' ? join(named, 'compose.yaml') : named;
    const kind = await fileKind(file);
    kinds.push({ file, kind: kind ?? 'unknown' });
    const loaded =
      kind === 'services' ? await loadServiceFile(file, { profiles }) : await loadImage(file, { profiles });
    for (const diagnostic of loaded.diagnostics) diagnostics.set(JSON.stringify(diagnostic), diagnostic);
  }
  return { files: kinds, diagnostics: [...diagnostics.values()] };
}

/** Warnings, if any, and one line that sums up. */
function render({ files, diagnostics }: ValidateResult): string {
  const checked = files.map(
    ({ file, kind }) => `${file}: ${kind === 'image' ? 'image definition' : 'service file'}, no faults`,
  );
  return `${[...diagnostics.map(formatDiagnostic), ...checked].join('\n')}\n`;
}

function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}

function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}
