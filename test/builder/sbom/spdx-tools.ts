/** The SPDX project's own validator, as Debian packages it: judges what we write, and knows nothing of us. */
import { openArchive, type Archive } from '../../../builder/debian/archive.ts';
import { closePackages } from '../../../builder/debian/closure.ts';
import { parseRelations } from '../../../builder/debian/control.ts';
import { findMirrors } from '../../../builder/debian/mirror.ts';
import { lockedPackage, machineArchitecture, suitesOf } from '../../../builder/lock/resolve.ts';
import { run } from '../../../builder/process/run.ts';
import { openToolbox, type Toolbox } from '../../../builder/tools/toolbox.ts';

/** The first suite that has it; older ones do not. */
const SUITE = 'forky';

export async function openSpdxTools(): Promise<Toolbox> {
  const archive = await openArchive({
    mirrors: await findMirrors({}),
    suites: suitesOf(SUITE),
    architecture: machineArchitecture(),
  });
  return openToolbox(
    closePackages(archive, withDependencies(archive, ['python3-minimal', 'python3-spdx-tools'])).map(
      lockedPackage,
    ),
  );
}

/** The packages and all that they depend on: closePackages follows libraries alone. */
function withDependencies(archive: Archive, wanted: readonly string[]): readonly string[] {
  const names = new Set(wanted);
  for (const name of names) {
    const fields = archive.find(name)?.fields;
    for (const alternatives of parseRelations(fields?.get('Depends'))) {
      const found = alternatives.find((candidate) => archive.find(candidate) !== undefined);
      if (found !== undefined) names.add(found);
    }
  }
  return [...names];
}

/** What it finds wrong with an SPDX document in JSON: nothing, or its words. */
export async function spdxFaults(tools: Toolbox, file: string): Promise<string> {
  const { stdout } = await run([...tools.command('python3'), ...['-c', VALIDATE, file]], {
    environment: { PYTHONHOME: `${tools.root}/usr`, PYTHONDONTWRITEBYTECODE: '1' },
    timeoutMs: 120_000,
  });
  return stdout.toString('utf8').trim();
}

const VALIDATE = `
import sys
from spdx_tools.spdx.parser.error import SPDXParsingError
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document
try:
    for fault in validate_full_spdx_document(parse_file(sys.argv[1]), 'SPDX-2.3'):
        print(fault.validation_message)
except SPDXParsingError as error:
    print(*error.get_messages(), sep='\\n')
`;
