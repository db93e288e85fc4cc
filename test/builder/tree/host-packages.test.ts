import { expect, test } from 'vitest';
import { hostPackages } from '../../../builder/tree/host-packages.ts';
import { loadImage } from '../../../spec/load.ts';
import { memoryFiles } from '../../spec/memory-files.ts';

test.each([
  ['', []],
  ['update: { url: http://a.example }', []],
  ['update: { url: https://a.example }', ['curl', 'ca-certificates']],
  ['update: { url: http://a.example, mirrors: [https://b.example] }', ['curl', 'ca-certificates']],
  ['update: { url: https://a.example, ca: own.pem }', ['curl']],
])('%s: what checks HTTPS servers comes with it', async (yaml, names) => {
  const files = { 'image.yaml': `name: a\n${yaml}\n`, 'own.pem': '-----BEGIN CERTIFICATE-----\n' };
  const { image } = await loadImage('/project/image.yaml', memoryFiles(files));
  if (image === undefined) throw new Error('no image');
  const found = hostPackages(image).map(({ name }) => name);
  expect(found.filter((name) => ['curl', 'ca-certificates'].includes(name))).toEqual(names);
});
