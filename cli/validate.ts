/** `slipway validate`: all faults at once, of image definitions, service files, and configurations of machines. */
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { DiagnosticsError, formatDiagnostic, type Diagnostic } from '../spec/diagnostic.ts';
import { diskFiles } from '../spec/input-files.ts';
import { fileKind, loadImage, loadServiceFile } from '../spec/load.ts';
import { provisioningKind, validateProvisioning } from './validate-provisioning.ts';

const KINDS = ['image', 'services', 'user-data', 'network-config'] as const;
export type FileKind = (typeof KINDS)[number];

export interface ValidateResult {
  readonly files: readonly { readonly file: string; readonly kind: FileKind | 'unknown' }[];
  readonly diagnostics: readonly Diagnostic[];
}

/** The `validate` subcommand, for cli/main.ts. */
export function validateCommand(): Command {
  return new Command('validate')
    .description('check image definitions, service files, user-data and network-config: all faults at once')
    .argument(
      '<file...>',
      'image definitions, service files, folders with a compose.yaml, user-data, network-config',
    )
    .option('--profile <name>', 'activate a profile (may be given several times)', collect)
    .addOption(
      new Option('--kind <kind>', 'what the files are; else each says so by its content').choices(KINDS),
    )
    .option('--json', 'print the diagnostics as JSON')
    .action(async (files: string[], options: { profile?: string[]; kind?: FileKind; json?: boolean }) => {
      const result = await validate(files, options.profile, options.kind);
      if (hasErrors(result.diagnostics)) throw new DiagnosticsError(result.diagnostics);
      process.stdout.write(options.json === true ? `${JSON.stringify(result, null, 2)}\n` : render(result));
    });
}

/** Loads each file as what it is. A fault in a file that several include is told once. */
export async function validate(
  files: readonly string[],
  profiles: readonly string[] = [],
  wanted?: FileKind,
): Promise<ValidateResult> {
  const kinds: ValidateResult['files'][number][] = [];
  const diagnostics = new Map<string, Diagnostic>();
  for (const named of files) {
    // A folder stands for the service file in it, as in `include:`.
    const file = (await diskFiles.kindOf(named)) === 'folder' ? join(named, 'compose.yaml') : named;
    const { kind, found } = await validateOne(file, profiles, wanted);
    kinds.push({ file, kind: kind ?? 'unknown' });
    for (const diagnostic of found) diagnostics.set(JSON.stringify(diagnostic), diagnostic);
  }
  return { files: kinds, diagnostics: [...diagnostics.values()] };
}

async function validateOne(
  file: string,
  profiles: readonly string[],
  wanted: FileKind | undefined,
): Promise<{ readonly kind: FileKind | undefined; readonly found: readonly Diagnostic[] }> {
  const bytes = await bytesOf(file);
  const known = bytes === undefined ? undefined : (wanted ?? provisioningKind(file, bytes));
  if (bytes !== undefined && (known === 'user-data' || known === 'network-config'))
    return { kind: known, found: await validateProvisioning(known, file, bytes) };
  const kind = wanted ?? (await fileKind(file));
  const loaded =
    kind === 'services' ? await loadServiceFile(file, { profiles }) : await loadImage(file, { profiles });
  return { kind, found: loaded.diagnostics };
}

/** `undefined` when there are none: the loader then says why. */
async function bytesOf(file: string): Promise<Uint8Array | undefined> {
  try {
    const content = await diskFiles.readFile(file);
    return typeof content === 'string' ? new TextEncoder().encode(content) : content;
  } catch {
    return undefined;
  }
}

const NOUNS: Readonly<Record<FileKind | 'unknown', string>> = {
  image: 'image definition',
  services: 'service file',
  'user-data': 'configuration of a machine',
  'network-config': 'network configuration',
  unknown: 'file',
};

/** Warnings, if any, and one line that sums up. */
function render({ files, diagnostics }: ValidateResult): string {
  const checked = files.map(({ file, kind }) => `${file}: ${NOUNS[kind]}, no faults`);
  return `${[...diagnostics.map(formatDiagnostic), ...checked].join('\n')}\n`;
}

function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}

function collect(value: string, earlier: readonly string[] = []): string[] {
  return [...earlier, value];
}
