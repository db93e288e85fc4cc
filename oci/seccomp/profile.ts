/** Seccomp profiles in Docker's format: the one parser, and their type. */
import * as z from 'zod';
import { SlipwayError } from '../../spec/error.ts';

const filter = z.strictObject({
  caps: z.array(z.string()).nullish(),
  arches: z.array(z.string()).nullish(),
  minKernel: z
    .string()
    .regex(/^\d+\.\d+$/)
    .nullish(),
});

const argument = z.strictObject({
  index: z.number().int().min(0).max(5),
  // Integers beyond 2^53 cannot come through JSON unharmed.
  value: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
  valueTwo: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullish(),
  op: z.enum([
    ...(['SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT'] as const),
    'SCMP_CMP_MASKED_EQ',
  ]),
});

const action = z.enum([
  ...(['SCMP_ACT_ALLOW', 'SCMP_ACT_ERRNO', 'SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS'] as const),
  ...(['SCMP_ACT_KILL_THREAD', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE', 'SCMP_ACT_TRAP'] as const),
]);

const errno = z.number().int().min(0).max(4095);

const rule = z
  .strictObject({
    name: z.string().nullish(),
    names: z.array(z.string()).nullish(),
    action,
    errnoRet: errno.nullish(),
    args: z.array(argument).max(6).nullish(),
    comment: z.string().nullish(),
    includes: filter.nullish(),
    excludes: filter.nullish(),
  })
  .refine((value) => (value.name == null) !== ((value.names?.length ?? 0) === 0), {
    message: 'give either name or names',
  });

const profile = z
  .strictObject({
    defaultAction: action,
    defaultErrnoRet: errno.nullish(),
    flags: z.array(z.string()).nullish(),
    architectures: z.array(z.string()).nullish(),
    archMap: z
      .array(z.strictObject({ architecture: z.string(), subArchitectures: z.array(z.string()).nullish() }))
      .nullish(),
    syscalls: z.array(rule).nullish(),
  })
  .refine((value) => (value.architectures?.length ?? 0) === 0 || (value.archMap?.length ?? 0) === 0, {
    message: 'give either architectures or archMap',
  });

export type SeccompProfile = z.infer<typeof profile>;
export type SeccompRule = z.infer<typeof rule>;

/** `text`: the JSON of a profile in Docker's format. Throws `bundle.seccomp` with every fault. */
export function parseSeccompProfile(text: string, file: string): SeccompProfile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new SlipwayError('bundle.seccomp', `${file}: not JSON: ${String(error)}`, { cause: error });
  }
  const result = profile.safeParse(json);
  if (result.success) return result.data;
  const faults = result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new SlipwayError('bundle.seccomp', `${file}: not a seccomp profile:\n${faults.join('\n')}`, {
    hint: "the format is Docker's (docs.docker.com/engine/security/seccomp)",
  });
}
