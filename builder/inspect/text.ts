/** An inspection for people. */
import type { DiskReport, SlotReport } from './disk.ts';
import type { Inspection } from './inspect.ts';
import type { PeReport, SignatureReport } from './pe.ts';
import type { RootReport } from './root.ts';

export function inspectionText(inspection: Inspection): string {
  return `${lines(inspection).join('\n')}\n`;
}

function lines(inspection: Inspection): string[] {
  switch (inspection.kind) {
    case 'disk':
      return diskLines(inspection);
    case 'uki':
    case 'pe':
      return peLines(inspection);
    case 'root':
      return rootLines(inspection);
    case 'verity':
      return [
        `dm-verity tree, ${size(inspection.sizeBytes)}`,
        ...fields([
          ['root', `${inspection.uuid} (first half of the root hash)`],
          ['covers', `${inspection.dataBlocks} blocks of ${inspection.dataBlockBytes} bytes`],
          ['hash', inspection.algorithm],
          ['salt', inspection.salt],
        ]),
      ];
  }
}

function diskLines(disk: DiskReport): string[] {
  const title = `Disk, ${size(disk.sizeBytes)}, sectors of ${disk.sectorSize} bytes, layout ${disk.layout ?? 'unknown'}`;
  const table = columns([
    ['PARTITION', 'START', 'SIZE', 'GUID'],
    ...disk.partitions.map((partition) => [
      partition.name,
      size(partition.offsetBytes),
      size(partition.sizeBytes),
      partition.guid,
    ]),
  ]);
  const slots = disk.slots.flatMap((slot) => [
    '',
    slotLine(slot),
    ...indent(slot.root === undefined ? [] : rootLines(slot.root)),
  ]);
  const programs = disk.programs.flatMap((program) => ['', `${program.path}`, ...indent(peLines(program))]);
  const others = disk.esp.filter(({ path }) => !disk.programs.some((program) => program.path === path));
  return [
    title,
    '',
    ...table,
    ...slots,
    ...programs,
    '',
    ...columns([
      ['OTHER FILES OF THE ESP', 'SIZE'],
      ...others.map((file) => [file.path, `${file.sizeBytes} B`]),
    ]),
    ...problemLines(disk.problems),
  ];
}

function slotLine(slot: SlotReport): string {
  if (slot.uuid === undefined) return `Slot ${slot.name}: empty`;
  const verdict = slot.intact === undefined ? '' : slot.intact ? ', intact' : ', DAMAGED';
  return `Slot ${slot.name}: ${slot.uuid}, booted by ${slot.ukis.join(', ') || 'nothing'}${verdict}`;
}

function peLines(pe: PeReport): string[] {
  const what = pe.kind === 'uki' ? `UKI of ${pe.name ?? '?'} ${pe.version ?? '?'}` : 'PE image';
  const sections = pe.sections.map((section) => `${section.name} ${size(section.sizeBytes)}`);
  return [
    `${what}, ${pe.architecture}, ${size(pe.sizeBytes)}`,
    ...fields([
      ['kernel', pe.kernel],
      ['root hash', pe.rootHash],
      ['command line', pe.commandLine],
      ['sections', sections.join(', ')],
      ...(pe.signatures.length === 0
        ? [['signature', pe.signatureError ?? 'NONE'] as const]
        : pe.signatures.map((signature) => ['signature', signatureText(signature)] as const)),
    ]),
  ];
}

function signatureText(signature: SignatureReport): string {
  const verdict = signature.valid ? 'valid' : `INVALID: ${signature.problems.join(', ')}`;
  const trust =
    signature.trustedBy === undefined
      ? ''
      : `; ${signature.trustedBy.length === 0 ? 'NOT trusted by these keys' : `trusted by ${signature.trustedBy.join(' and ')} keys`}`;
  return `${verdict}; ${signature.chain.join(' <- ')}; SHA-256 ${signature.fingerprint.slice(0, 16)}${trust}`;
}

function rootLines(root: RootReport): string[] {
  const { image } = root;
  const title =
    image === undefined ? 'Root' : `Root of ${image.name} ${image.version}, ${image.architecture}`;
  return [
    `${title}, ${size(root.sizeBytes)}, ${root.inodes} files, ${root.time}`,
    ...columns([
      ['SERVICE', 'TYPE', 'GATE', 'AFTER'],
      ...root.services.map((service) => [
        service.name,
        service.type,
        service.gate ? 'yes' : 'no',
        service.dependsOn.join(', '),
      ]),
    ]),
    `${root.packages.length} packages`,
    ...indent(wrapped(root.packages.map(({ name, version }) => `${name} ${version}`))),
    ...problemLines(root.problems),
  ];
}

function problemLines(problems: readonly string[]): string[] {
  return problems.map((problem) => `PROBLEM: ${problem}`);
}

function fields(rows: readonly (readonly [string, string | undefined])[]): string[] {
  return rows.flatMap(([key, value]) => (value === undefined ? [] : [`  ${key.padEnd(13)}${value}`]));
}

function columns(rows: readonly (readonly string[])[]): string[] {
  if (rows.length < 2) return [];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/** Words separated by commas, in lines of about 100 characters. */
function wrapped(words: readonly string[]): string[] {
  const result: string[] = [];
  for (const word of words) {
    const last = result.at(-1);
    if (last === undefined || last.length + word.length > 98) result.push(word);
    else result[result.length - 1] = `${last}, ${word}`;
  }
  return result;
}

function indent(texts: readonly string[]): string[] {
  return texts.map((text) => `  ${text}`);
}

function size(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
