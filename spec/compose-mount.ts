/** Compose's `volumes`, `tmpfs` and `devices`, short and long form. */
import * as z from 'zod';
import { machinePathSchema, NAME, normalisePath, refuse } from './names.ts';
import { modeSchema, sizeSchema } from './quantities.ts';
import { parseSize } from './units.ts';
import type { ServiceDefinition, VolumeMount } from './service.ts';

const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;
const VOLUME_FORM =
  'write SOURCE:TARGET or SOURCE:TARGET:ro, where SOURCE is an absolute path on the machine or the name of a volume';

type Context = Parameters<typeof refuse>[0];
type Device = ServiceDefinition['devices'][number];

const shortVolume = z.string().transform((text, context): VolumeMount => {
  const [source, rawTarget, options, ...rest] = text.split(':');
  if (source === undefined || rawTarget === undefined) {
    return refuse(
      context,
      `'${text}' names no source: anonymous volumes are not supported`,
      `${VOLUME_FORM}; x-slipway.state keeps a directory for one service`,
    );
  }
  const target = normalisePath(rawTarget);
  if (target === undefined || rest.length > 0) return refuse(context, `'${text}' is no volume`, VOLUME_FORM);
  let readOnly = false;
  let propagation = 'rprivate';
  for (const option of options === undefined ? [] : options.split(',')) {
    if (option === 'ro' || option === 'rw') readOnly = option === 'ro';
    else if (isPropagation(option)) propagation = option;
    else
      return refuse(
        context,
        `'${option}' is no option of a volume that Slipway supports`,
        `supported: ro, rw, ${PROPAGATIONS.join(', ')}`,
      );
  }
  if (!/^[./~]/.test(source)) return named(source, target, readOnly, context);
  return bound(source, { target, readOnly, propagation, createHostPath: true }, context);
});

const longVolume = z
  .strictObject({
    type: z.enum(['bind', 'volume', 'tmpfs']).describe('What is mounted.'),
    source: z
      .string()
      .optional()
      .describe('`bind`: an absolute path on the machine. `volume`: the name of a volume.'),
    target: machinePathSchema.describe('Where, in the container.'),
    read_only: z.boolean().prefault(false).describe('Whether the container may only read it.'),
    bind: z
      .strictObject({
        propagation: z.enum(PROPAGATIONS).prefault('rprivate').describe('Mount propagation.'),
        create_host_path: z
          .boolean()
          .prefault(true)
          .describe('Make the source directory when it is missing.'),
      })
      .optional()
      .describe('Only with `type: bind`.'),
    tmpfs: z
      .strictObject({
        size: sizeSchema
          .refine((bytes) => bytes > 0, 'a tmpfs of size zero would have no limit')
          .optional()
          .describe('Size limit.'),
        mode: modeSchema.optional().describe('File mode of the mount point.'),
      })
      .optional()
      .describe('Only with `type: tmpfs`.'),
  })
  .transform((long, context): VolumeMount => {
    const { type, source, target, bind, tmpfs } = long;
    const readOnly = long.read_only;
    if (bind !== undefined && type !== 'bind')
      return refuse(context, "'bind' belongs to `type: bind`", undefined, { path: ['bind'] });
    if (tmpfs !== undefined && type !== 'tmpfs')
      return refuse(context, "'tmpfs' belongs to `type: tmpfs`", undefined, { path: ['tmpfs'] });
    if (type === 'tmpfs') {
      if (source !== undefined)
        return refuse(context, 'a tmpfs has no source', undefined, { path: ['source'] });
      if (readOnly)
        return refuse(context, 'a tmpfs that cannot be written is of no use', undefined, {
          path: ['read_only'],
        });
      return {
        kind: 'tmpfs',
        target,
        ...(tmpfs?.size === undefined ? {} : { sizeBytes: tmpfs.size }),
        ...(tmpfs?.mode === undefined ? {} : { mode: tmpfs.mode }),
      };
    }
    if (source === undefined)
      return refuse(context, "'source' is missing", VOLUME_FORM, { code: 'input.missing' });
    if (type === 'volume') return named(source, target, readOnly, context);
    const options = {
      target,
      readOnly,
      propagation: bind?.propagation ?? 'rprivate',
      createHostPath: bind?.create_host_path ?? true,
    };
    return bound(source, options, context);
  });

export const volumeSchema = z
  .union([shortVolume, longVolume])
  .meta({ title: 'volume', examples: ['/dev/disk:/dev/disk:ro', 'data:/var/lib/data'] });

export const tmpfsSchema = z
  .string()
  .transform((text, context): VolumeMount => {
    const [path = '', options = '', ...rest] = text.split(':');
    const target = normalisePath(path);
    if (target === undefined || rest.length > 0) {
      return refuse(context, `'${text}' is no tmpfs`, 'write PATH or PATH:size=64m,mode=1777');
    }
    let sizeBytes: number | undefined;
    let mode: number | undefined;
    for (const option of options === '' ? [] : options.split(',')) {
      const [key = '', value = ''] = option.split('=');
      if (key === 'size' && (parseSize(value) ?? 0) > 0) sizeBytes = parseSize(value);
      else if (key === 'mode' && /^[0-7]{3,5}$/.test(value)) mode = parseInt(value, 8);
      else {
        return refuse(
          context,
          `'${option}' is no option of a tmpfs that Slipway supports`,
          'supported: size=64m, mode=1777 (octal); a tmpfs is always nosuid, nodev and noexec',
        );
      }
    }
    return {
      kind: 'tmpfs',
      target,
      ...(sizeBytes === undefined ? {} : { sizeBytes }),
      ...(mode === undefined ? {} : { mode }),
    };
  })
  .meta({ title: 'tmpfs', examples: ['/run', '/tmp:size=64m,mode=1777'] });

const shortDevice = z.string().transform((text, context): Device => {
  const [source = '', target = source, permissions = 'rwm', ...rest] = text.split(':');
  const [from, to] = [normalisePath(source), normalisePath(target)];
  if (from === undefined || to === undefined || rest.length > 0 || !isPermissions(permissions)) {
    return refuse(
      context,
      `'${text}' is no device`,
      'write /dev/NAME, /dev/NAME:/dev/OTHER or /dev/NAME:/dev/OTHER:rwm',
    );
  }
  return { source: from, target: to, permissions };
});

const longDevice = z
  .strictObject({
    source: machinePathSchema.describe('The device on the machine.'),
    target: machinePathSchema.optional().describe('Its path in the container; the same unless told.'),
    permissions: z
      .string()
      .refine(isPermissions, 'expected letters of r, w and m')
      .prefault('rwm')
      .describe('Read, write, make nodes.'),
  })
  .transform((long): Device => ({ ...long, target: long.target ?? long.source }));

export const deviceSchema = z
  .union([shortDevice, longDevice])
  .meta({ title: 'device', examples: ['/dev/net/tun'] });

function named(name: string, target: string, readOnly: boolean, context: Context): VolumeMount {
  if (!NAME.test(name)) return refuse(context, `'${name}' is no name of a volume`, VOLUME_FORM);
  return { kind: 'volume', name, target, readOnly };
}

function bound(
  source: string,
  options: { target: string; readOnly: boolean; propagation: string; createHostPath: boolean },
  context: Context,
): VolumeMount {
  const path = normalisePath(source);
  if (path !== undefined) return { kind: 'bind', source: path, ...options };
  return refuse(
    context,
    `the source '${source}' is not an absolute path on the machine`,
    'the machine has no folder of this file: put files into the root file system with x-slipway.files or a files/ folder',
  );
}

function isPropagation(text: string): boolean {
  return PROPAGATIONS.some((known) => known === text);
}

function isPermissions(text: string): boolean {
  return /^(?!.*(.).*\1)[rwm]{1,3}$/.test(text);
}
