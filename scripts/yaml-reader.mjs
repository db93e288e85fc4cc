// The machine reads YAML and never writes any: what of npm's yaml is only for writing, or for YAML 1.1 (whose directive spec/yaml.ts refuses), is
// left out of its programs: 28 kB. An export that is left out is `undefined`; test/host/provision/quickjs.test.ts compares what both readers make.
import { readFile } from 'node:fs/promises';

const LEFT_OUT = [
  'stringify/',
  'schema/json/',
  'schema/yaml-1\\.1/(binary|omap|pairs|set|timestamp|bool|int|float|schema)\\.js',
  'doc/(createNode|applyReviver)\\.js',
  'visit\\.js',
  'parse/(cst-stringify|cst-visit|cst-scalar)\\.js',
  'nodes/(addPairToJSMap|toJS)\\.js',
];

/** For esbuild. */
export const yamlReader = {
  name: 'yaml-reader',
  setup(build) {
    const filter = new RegExp(`/node_modules/yaml/browser/dist/(${LEFT_OUT.join('|')})`);
    build.onLoad({ filter }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const names = [...text.matchAll(/export \{([^}]*)\}/g)].flatMap(([, list]) => list.split(','));
      const exported = names.map((name) => name.trim().split(' as ').at(-1)).filter((name) => name !== '');
      return { contents: exported.map((name) => `export const ${name} = undefined;`).join('\n') };
    });
  },
};
