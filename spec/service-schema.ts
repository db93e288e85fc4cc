/**
 * One service of a service file: the Compose Specification's keys that Slipway supports, and `x-slipway`. The type, the validator, the
 * JSON Schema and the reference page derive from here. Sections and names follow the Compose Specification.
 */
import * as z from 'zod';
import { deviceSchema, tmpfsSchema, volumeSchema } from './compose-mount.ts';
import { capabilitySchema, NAME, refuse, signalSchema, ULIMITS } from './names.ts';
import { fileSchema, packageSchema, stateSchema } from './package-schema.ts';
import { durationSchema, sizeSchema } from './quantities.ts';
import { shellWords } from './shell-words.ts';

const text = z.string();
const scalar = z.union([text, z.number(), z.boolean(), z.null()]);

/** Compose's "list or map": `KEY=value` items or a mapping. The loader has made a mapping of texts of both before it gets here. */
const listOrMap = z
  .union([z.record(text, scalar), z.array(text)])
  .meta({ title: 'mapping, or list of `KEY=value`' });

/** A list of words, or one text that is split like a shell's (no shell runs it). */
const argv = z
  .union([
    z.array(text),
    text.transform((line, context) => {
      const words = shellWords(line);
      return words === undefined ? refuse(context, 'a quote is left open in the command') : [...words];
    }),
    z.null(),
  ])
  .meta({ title: 'command', examples: [['/usr/sbin/chronyd', '-d']] });

const limit = z
  .union([
    z.number().int().min(-1),
    z.string().regex(/^(-1|unlimited|\d{1,15})$/, 'expected a whole number, or -1 for no limit'),
  ])
  .transform((value) => (value === 'unlimited' ? -1 : Number(value)));

const softAndHard = z
  .strictObject({
    soft: limit.describe('The limit.'),
    hard: limit.describe('How far the service may raise it.'),
  })
  .refine(({ soft, hard }) => hard === -1 || (soft !== -1 && soft <= hard), {
    message: '`soft` exceeds `hard`',
  });

const LEAST_MEMORY_BYTES = 4 * 1024 * 1024;

const decimal = z.union([
  z.number().positive(),
  z
    .string()
    .regex(/^(?!0+(\.0+)?$)\d{1,6}(\.\d{1,6})?$/, 'expected a number above zero')
    .transform(Number),
]);

const CONDITIONS = ['service_started', 'service_healthy', 'service_completed_successfully'] as const;

const dependency = z.strictObject({
  condition: z.enum(CONDITIONS).describe('What to wait for.'),
  required: z.boolean().prefault(true).describe('Whether the service must be part of the image.'),
  restart: z.boolean().prefault(false).describe('Restart this service when the other one is restarted.'),
});

const healthcheck = z.strictObject({
  test: z
    .union([text, z.array(text)])
    .optional()
    .describe('`[CMD, program, ...]`, `[CMD-SHELL, line]`, `[NONE]`, or one text, which is a shell line.'),
  interval: durationSchema.prefault('30s').describe('Time between two checks.'),
  timeout: durationSchema.prefault('30s').describe('A check that takes longer has failed.'),
  retries: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .prefault(3)
    .describe('So many failures in a row make it unhealthy.'),
  start_period: durationSchema.prefault('0s').describe('Failures in this time after the start do not count.'),
  start_interval: durationSchema.prefault('5s').describe('Time between two checks during `start_period`.'),
  disable: z.boolean().prefault(false).describe('No check.'),
});

const extendsSchema = z.union([
  text.regex(NAME, 'expected the name of a service'),
  z.strictObject({
    service: text.regex(NAME, 'expected the name of a service').describe('The service to start from.'),
    file: text.min(1).optional().describe('The file that holds it; this file unless told.'),
  }),
]);

const envFile = z.union([
  text,
  z.array(
    z.union([
      text,
      z.strictObject({
        path: text.describe('The file, beside this one.'),
        required: z.boolean().prefault(true).describe('Whether it must exist.'),
        format: z.literal('raw').optional().describe('`raw`: values are taken as they are, without quotes.'),
      }),
    ]),
  ),
]);

/** What Compose lacks. */
export const slipwaySchema = z.strictObject({
  packages: z
    .array(packageSchema)
    .min(1)
    .optional()
    .describe('Debian packages that make up the root file system, instead of `image`.'),
  files: z
    .array(fileSchema)
    .prefault([])
    .describe('Files of your own. A folder `files/` beside a file with one service is taken by itself.'),
  type: z
    .enum(['service', 'onboot', 'onshutdown'])
    .prefault('service')
    .describe('`onboot` runs once before what depends on it, `onshutdown` once when the machine goes down.'),
  gate: z
    .boolean()
    .prefault(false)
    .describe('An update is only kept if this is healthy (`onboot`: has succeeded).'),
  state: z
    .array(stateSchema)
    .prefault([])
    .describe('Directories that are kept on the state partition, seen by this service alone.'),
});

/** One entry of `services:`. */
export const serviceSchema = z
  .strictObject({
    image: text
      .min(1)
      .optional()
      .describe(
        'OCI image: a registry reference, or a path (`./folder`, `./file.tar`) of an OCI layout or docker-archive. Either this or `x-slipway.packages`.',
      ),
    command: argv.optional().describe('What to run, as a list of words.'),
    entrypoint: argv.optional().describe('What stands before `command`.'),
    environment: listOrMap
      .prefault({})
      .describe('Environment variables.')
      .meta({ examples: [{ LEVEL: 'info' }] }),
    env_file: envFile
      .optional()
      .describe('Files with environment variables, read when the image is built. `environment` wins.'),
    working_dir: text.regex(/^\//, 'expected an absolute path').optional().describe('Working directory.'),
    user: text
      .regex(
        /^[a-zA-Z0-9_][a-zA-Z0-9_.-]*(:[a-zA-Z0-9_][a-zA-Z0-9_.-]*)?$/,
        'expected USER or USER:GROUP, names or numbers',
      )
      .optional()
      .describe('`user` or `user:group`, names or numbers.')
      .meta({ examples: ['_chrony', '1000:1000'] }),
    group_add: z
      .array(z.union([text, z.number().int().min(0)]))
      .prefault([])
      .describe('Further groups, names or numbers.'),
    hostname: text
      .regex(/^[a-zA-Z0-9]([a-zA-Z0-9.-]{0,62}[a-zA-Z0-9])?$/, 'expected letters, digits, - and .')
      .optional()
      .describe('Host name in the container.'),
    volumes: z
      .array(volumeSchema)
      .prefault([])
      .describe('Directories of the machine, named volumes and tmpfs; short and long form.'),
    tmpfs: z
      .union([tmpfsSchema, z.array(tmpfsSchema)])
      .prefault([])
      .describe('Directories in memory.'),
    devices: z.array(deviceSchema).prefault([]).describe('Devices of the machine.'),
    cap_add: z
      .array(capabilitySchema)
      .prefault([])
      .describe('Capabilities beyond the default set.')
      .meta({ examples: [['SYS_TIME']] }),
    cap_drop: z
      .array(capabilitySchema)
      .prefault([])
      .describe('Capabilities to drop; `ALL` drops all.')
      .meta({ examples: [['ALL']] }),
    privileged: z
      .boolean()
      .prefault(false)
      .describe('All capabilities and devices, no seccomp, nothing masked.'),
    security_opt: z
      .array(text)
      .prefault([])
      .describe('`no-new-privileges:true`, `seccomp:unconfined`, `seccomp:./profile.json`.'),
    read_only: z.boolean().prefault(false).describe('Whether the root file system is read-only.'),
    network_mode: z
      .enum(['host', 'none'])
      .prefault('none')
      .describe('`host` shares the network of the machine; `none` has only its own loopback.'),
    pid: z
      .union([z.literal('host'), z.null()])
      .optional()
      .describe('`host` shares the process table of the machine.'),
    ipc: z.enum(['host', 'private']).prefault('private').describe('System V IPC and POSIX message queues.'),
    sysctls: listOrMap.prefault({}).describe('Kernel parameters of the own namespaces.'),
    ulimits: z
      .partialRecord(z.enum(ULIMITS), z.union([limit, softAndHard]))
      .prefault({})
      .describe('Resource limits, one number or `soft` and `hard`.')
      .meta({ examples: [{ nofile: { soft: 1024, hard: 4096 } }] }),
    mem_limit: sizeSchema
      .refine(
        (bytes) => bytes >= LEAST_MEMORY_BYTES,
        'expected at least 4MB: a container needs as much to start',
      )
      .optional()
      .describe('Memory limit, at least 4MB.'),
    cpus: decimal.optional().describe('How many CPUs it may use.'),
    cpu_shares: z
      .number()
      .int()
      .min(2)
      .max(262_144)
      .optional()
      .describe('Weight when CPUs are scarce; 1024 is usual.'),
    pids_limit: z
      .number()
      .int()
      .min(-1)
      .refine((count) => count !== 0, 'expected a number of processes, or -1 for no limit')
      .optional()
      .describe('How many processes it may have; -1 for no limit.'),
    oom_score_adj: z
      .number()
      .int()
      .min(-1000)
      .max(1000)
      .optional()
      .describe('Lower is killed later when memory is short.'),
    restart: text
      .regex(
        /^(no|always|unless-stopped|on-failure(:[1-9]\d{0,8})?)$/,
        "expected 'no', 'always', 'unless-stopped' or 'on-failure[:N]'",
      )
      .prefault('no')
      .describe("`'no'`, `always`, `unless-stopped`, `on-failure` or `on-failure:N`; with growing pauses."),
    stop_signal: signalSchema.prefault('SIGTERM').describe('Signal that asks it to stop.'),
    stop_grace_period: durationSchema.prefault('10s').describe('Time to stop before it is killed.'),
    init: z.boolean().prefault(false).describe('Run a small init as process 1 of the container.'),
    depends_on: z
      .union([z.array(text), z.record(text, dependency)])
      .prefault([])
      .describe('Services that come first: a list of names, or a mapping with `condition`.'),
    healthcheck: healthcheck.optional().describe('How to tell that it works.'),
    labels: listOrMap.prefault({}).describe('Labels, for tools.'),
    profiles: z
      .array(text.regex(NAME, 'expected the name of a profile'))
      .prefault([])
      .describe('Part of the image only when one of these profiles is active.'),
    extends: extendsSchema.optional().describe('Start from another service, of this file or another one.'),
    'x-slipway': slipwaySchema.prefault({}).describe('What Compose lacks.'),
  })
  .meta({ id: 'service' });

export type ServiceInput = z.output<typeof serviceSchema>;

const includeItem = z.union([
  text,
  z.strictObject({
    path: z.union([text, z.array(text).min(1)]).describe('A file, or several that are merged in this order.'),
  }),
]);

/** A whole service file. */
export const serviceFileSchema = z.strictObject({
  name: text
    .regex(NAME, 'expected lower-case letters, digits, - and _')
    .optional()
    .describe('A name for the file, for people.'),
  include: z.array(includeItem).prefault([]).describe('Further service files, relative to this one.'),
  services: z
    .record(text.regex(NAME, 'a service name has lower-case letters, digits, - _ and .'), serviceSchema)
    .prefault({})
    .describe('The services by name.'),
  volumes: z
    .record(
      text.regex(NAME, 'a volume name has lower-case letters, digits, - _ and .'),
      z.union([z.strictObject({}), z.null()]),
    )
    .prefault({})
    .describe('Named volumes: directories on the state partition that services can share.'),
});
