/** What image definitions and service files share: Debian packages and literal files. */
import * as z from 'zod';
import type { PackageSelection } from './image.ts';
import { machinePathSchema, normalisePath } from './names.ts';
import { modeSchema } from './quantities.ts';

const DEBIAN_NAME = /^[a-z0-9][a-z0-9+.-]+$/;

const packageName = z
  .string()
  .regex(DEBIAN_NAME, 'a Debian package name has lower-case letters, digits, and + - . after the first')
  .meta({ title: 'package name' });

/** A package name, or a name with the files to take. */
export const packageSchema = z
  .union([
    packageName.transform((name): PackageSelection => ({ name })),
    z
      .strictObject({
        name: packageName.describe('The Debian package.'),
        files: z
          .array(
            z
              .string()
              .refine((glob) => normalisePath(glob) !== undefined, 'a glob of files is an absolute path'),
          )
          .min(1)
          .optional()
          .describe(
            'Globs of absolute paths (`*` within one component, `**` across); only these are taken. Shared libraries come by themselves.',
          ),
      })
      .transform(({ name, files }): PackageSelection => (files === undefined ? { name } : { name, files })),
  ])
  .meta({ title: 'package', examples: ['chrony', { name: 'util-linux', files: ['/usr/bin/nsenter'] }] });

const idSchema = z.number().int().min(0).max(4_294_967_294);

/** A literal file. `source` may be a folder, which is then copied below `path`. */
export const fileSchema = z
  .strictObject({
    path: machinePathSchema.describe('Where it lies, from the root on.'),
    content: z.string().optional().describe('The text of the file.'),
    source: z
      .string()
      .min(1)
      .optional()
      .describe(
        'A file or folder beside this YAML file to take instead of `content`; of a folder, everything in it goes below `path`.',
      ),
    mode: modeSchema
      .optional()
      .describe(
        'Permission bits, quoted octal. Without it 0644; for a file out of a folder 0755 where it is executable.',
      ),
    uid: idSchema.prefault(0).describe('Owner.'),
    gid: idSchema.prefault(0).describe('Group.'),
  })
  .refine((file) => (file.content === undefined) !== (file.source === undefined), {
    message: 'a file has either `content` or `source`',
  })
  .meta({ title: 'file' });

export type FileInput = z.output<typeof fileSchema>;

/** A directory that outlives updates. */
export const stateSchema = z
  .union([
    machinePathSchema.transform((path) => ({ path, uid: 0, gid: 0, mode: 0o755 })),
    z.strictObject({
      path: machinePathSchema.describe('Where the service sees it.'),
      uid: idSchema.prefault(0).describe('Owner.'),
      gid: idSchema.prefault(0).describe('Group.'),
      mode: modeSchema.prefault('0755').describe('Permission bits, quoted octal.'),
    }),
  ])
  .meta({ title: 'state directory', examples: ['/var/lib/chrony', { path: '/etc/ssh/keys', mode: '0700' }] });
