import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Toolbox } from '../../../builder/tools/toolbox.ts';
import { buildTestImage, WORK } from '../../boot/image.ts';
import { openSpdxTools, spdxFaults } from './spdx-tools.ts';

interface Spdx {
  readonly packages: { licenseDeclared?: string; downloadLocation?: string }[];
  readonly relationships: { relatedSpdxElement: string }[];
}

describe("the SPDX project's own validator", () => {
  let tools: Toolbox;
  let directory: string;
  let sbom: string;

  beforeAll(async () => {
    tools = await openSpdxTools();
    directory = await mkdtemp(join(tmpdir(), 'slipway-spdx-'));
    await buildTestImage('images/minimal.yaml');
    sbom = join(WORK, 'images/minimal/minimal_1.0.0.spdx.json');
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('finds nothing wrong with an SBOM', async () => {
    expect(await spdxFaults(tools, sbom)).toBe('');
  });

  test.each<[string, (document: Spdx) => void, RegExp]>([
    [
      'a licence that is neither listed nor declared',
      ({ packages }) => (packages[1]!.licenseDeclared = 'GPL-2+'),
      /GPL-2\+/,
    ],
    [
      'a package without a source',
      ({ packages }) => delete packages[1]!.downloadLocation,
      /download_location/,
    ],
    [
      'a relationship with something that is not there',
      ({ relationships }) => (relationships[1]!.relatedSpdxElement = 'SPDXRef-nothing'),
      /SPDXRef-nothing/,
    ],
  ])('finds %s', async (name, change, found) => {
    const document = JSON.parse(await readFile(sbom, 'utf8')) as Spdx;
    change(document);
    const file = join(directory, `${name.replaceAll(' ', '-')}.spdx.json`);
    await writeFile(file, JSON.stringify(document));
    expect(await spdxFaults(tools, file)).toMatch(found);
  });
});
