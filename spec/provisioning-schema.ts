/** `provisioning:` as it is written in an image definition. */
import * as z from 'zod';
import {
  DATASOURCES,
  RIGHTS,
  type DatasourceName,
  type ProvisioningPolicy,
  type Right,
} from './provisioning.ts';

/** Everything but scripts: those are the owner's to allow. */
export const DEFAULT_RIGHTS: readonly Right[] = RIGHTS.filter((right) => right !== 'scripts');

/** An operator is nobody's platform. */
const PLATFORMS = DATASOURCES.filter((name) => name !== 'operator');

const rightsSchema = z
  .array(z.enum(RIGHTS))
  .transform((rights) => RIGHTS.filter((right) => rights.includes(right)))
  .meta({ examples: [['users', 'files', 'services']] });

const WHERE: Readonly<Record<DatasourceName, string>> = {
  nocloud: 'A disk labelled `cidata`, or what `ds=nocloud` names.',
  qemu: 'QEMU, by `-fw_cfg name=opt/org.slipway/user-data`.',
  smbios: 'SMBIOS strings of type 11.',
  ec2: 'Amazon EC2.',
  gce: 'Google Compute Engine.',
  azure: 'Microsoft Azure.',
  openstack: 'OpenStack: its config drive, or its metadata server.',
  vmware: 'VMware, by guestinfo.',
  digitalocean: 'DigitalOcean.',
  hetzner: 'Hetzner Cloud.',
  'command-line': '`cloud-config-url=` on the kernel command line, which no signature covers.',
  'built-in': 'The `user_data` of this image.',
  operator: '`slip config apply`.',
};

const sources = Object.fromEntries(
  DATASOURCES.map((name) => [name, rightsSchema.optional().describe(WHERE[name])]),
) as Record<DatasourceName, z.ZodOptional<typeof rightsSchema>>;

export const provisioningSchema = z.strictObject({
  sources: z
    .strictObject(sources)
    .optional()
    .describe(
      'Who is heard, each with what it may do: `users`, `files`, `network`, `services`, `update`, `disks`, `scripts`. One that is not named is not heard. Without it all are heard, and may do everything but run scripts (those too in the profile `debug`).',
    )
    .meta({ examples: [{ nocloud: ['users', 'network'], operator: ['users'] }] }),
  scripts: z
    .enum(['container', 'host'])
    .prefault('container')
    .describe(
      'Where the scripts of sources that may run any are run: in a container, or as root on the host.',
    ),
  platform: z
    .enum(['auto', ...PLATFORMS])
    .prefault('auto')
    .describe(
      'The one source that is asked. `auto` finds it by what the machine says of itself, never by asking the network.',
    ),
  user_data: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A `#cloud-config` file that is built into the image, relative to this file; used where no other source has anything.',
    ),
});

export type ProvisioningInput = z.output<typeof provisioningSchema>;

/** What machines get. `scripts`: what sources may do by default includes running scripts. */
export function provisioningPolicy(input: ProvisioningInput, scripts: boolean): ProvisioningPolicy {
  const everything = scripts ? RIGHTS : DEFAULT_RIGHTS;
  const heard =
    input.sources === undefined
      ? DATASOURCES.map((name) => [name, everything] as const)
      : DATASOURCES.flatMap((name) => {
          const rights = input.sources?.[name];
          return rights === undefined ? [] : [[name, rights] as const];
        });
  return {
    format: '1.0',
    sources: Object.fromEntries(heard),
    scripts: input.scripts,
    platform: input.platform,
  };
}
