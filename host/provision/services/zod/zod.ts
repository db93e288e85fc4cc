/**
 * What stands in for npm's `zod` (4.6) in services.js: the part of it that the schemas of services and of OCI documents use, with the same values and
 * the same issues (test/host/provision/services/zod.test.ts compares both). 7 kB for the machine to load in place of 98, and no code made at run time.
 */

import {
  ZodArray,
  ZodBoolean,
  ZodEnum,
  ZodNull,
  ZodNumber,
  ZodObject,
  ZodRecord,
  ZodString,
  ZodUnion,
} from './kinds.ts';
import type { Told } from './issue.ts';
import type { ZodType } from './type.ts';

export { ZodArray, ZodEnum, ZodObject, ZodRecord, ZodUnion } from './kinds.ts';
export { ZodDefault, ZodLazy, ZodNullable, ZodOptional, ZodPipe, ZodPrefault } from './type.ts';

export const NEVER = undefined as never;

export const string = (options?: { readonly error: Told }): ZodString => new ZodString(options?.error);
export const number = (): ZodNumber => new ZodNumber();
export const boolean = (): ZodBoolean => new ZodBoolean();
export const array = (element: ZodType): ZodArray => new ZodArray(element);
export const union = (options: readonly ZodType[]): ZodUnion => new ZodUnion(options);
export const literal = (value: unknown): ZodEnum => new ZodEnum([value]);
export const object = (shape: Record<string, ZodType>): ZodObject => new ZodObject(shape, 'dropped');
export const strictObject = (shape: Record<string, ZodType>): ZodObject => new ZodObject(shape, 'refused');
export const record = (key: ZodType, value: ZodType): ZodRecord => new ZodRecord(key, value);
export { record as partialRecord, makeEnum as enum, makeNull as null };

const makeEnum = (options: readonly unknown[]): ZodEnum => new ZodEnum(options);
const makeNull = (): ZodNull => new ZodNull();
