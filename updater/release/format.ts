/** Which documents are understood: `format` and `requires` (decisions.md 22). */
import { SlipwayError } from '../../spec/error.ts';
import { isObject, list, text, type Place, type Reader } from './reader.ts';

/** Major 1. A reader refuses another major version, and passes over keys that it does not know when the minor version is not 0. */
export type Format = `1.${number}`;

/** Features beyond version 1.0 that this reader knows. */
export const KNOWN_FEATURES: readonly string[] = [];

const FORMAT = /^(\d{1,4})\.(\d{1,6})$/;

/** Throws `release.format` when a later Slipway is needed to read the document. Returns where its reading starts. */
export function openDocument(value: unknown, name: string): Place {
  const written = isObject(value) ? value['format'] : undefined;
  const [, major, minor] = FORMAT.exec(typeof written === 'string' ? written : '') ?? [];
  if (major === undefined) throw new SlipwayError('release.invalid', `${name} has no 'format'`);
  if (Number(major) !== 1) {
    throw new SlipwayError('release.format', `${name} is of format ${major}, and only 1 is known`, {
      hint: 'a barrier release with a newer updater has to come first',
    });
  }
  const requires = isObject(value) ? value['requires'] : undefined;
  const ahead = Array.isArray(requires) && unknownFeatures(requires.map(String)).length > 0;
  return { path: name, unknownKeys: Number(minor) > 0 || ahead ? 'ignore' : 'refuse' };
}

/** What of a document's `requires` this reader does not know: then what it describes is not for this machine. */
export function unknownFeatures(requires: readonly string[]): readonly string[] {
  return requires.filter((feature) => !KNOWN_FEATURES.includes(feature));
}

export const format = text({ form: FORMAT, what: 'a version of a format' }) as Reader<Format>;

export const requires: Reader<readonly string[]> = list(
  text({ form: /^[a-z0-9][a-z0-9.-]{0,62}$/, what: 'the name of a feature' }),
  { max: 32 },
);
