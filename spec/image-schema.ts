/** An image definition as it is written. The type, the validator, the JSON Schema and the reference page derive from here. */
import * as z from 'zod';
import { ALIGNMENT_BYTES } from './layout.ts';
import { NAME, refuse } from './names.ts';
import { fileSchema, packageSchema } from './package-schema.ts';
import { provisioningSchema } from './provisioning-schema.ts';
import { durationSchema, sizeSchema } from './quantities.ts';
import { serviceSchema } from './service-schema.ts';
import { updateSchema } from './update-schema.ts';
import { IMAGE_VERSION_HINT, isImageVersion } from './version.ts';

const text = z.string();

const PUBLIC_KEY =
  /^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com) [A-Za-z0-9+/]{40,}={0,3}( .*)?$/;

export const userSchema = z.strictObject({
  name: text
    .regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'a user name has lower-case letters, digits, - and _')
    .refine((name) => name !== 'root' && name !== 'nobody', 'that name belongs to the system')
    .describe('Login name.'),
  uid: z
    .number()
    .int()
    .min(1000)
    .max(59_999)
    .describe(
      'Number, 1000 to 59999. Files on the state partition belong to it for ever, so it is never chosen for you.',
    ),
  groups: z
    .array(text.regex(/^[a-z_][a-z0-9_-]{0,31}$/, 'a group name has lower-case letters, digits, - and _'))
    .prefault([])
    .describe('Further groups. Members of `operators` may use `slip`.')
    .meta({ examples: [['operators']] }),
  shell: text.regex(/^\//, 'expected an absolute path').prefault('/bin/sh').describe('Login shell.'),
  ssh_authorized_keys: z
    .array(
      text.regex(PUBLIC_KEY, 'this is no OpenSSH public key: a type, then the key in base64, then a comment'),
    )
    .prefault([])
    .describe('OpenSSH public keys that may log in. There are no passwords.'),
});

const SUITE = /^[a-z][a-z0-9.-]*$/;

/** Parameters of the signed baseline: an image that changed them would not find its root, or undo what protects it. */
const OWN_PARAMETERS = [
  ...[
    '--',
    'gpt',
    'init',
    'initrd',
    'lockdown',
    'module.sig_enforce',
    'rdinit',
    'root',
    'rootflags',
    'rootfstype',
  ],
  'roothash',
];

const kernelArgument = text.transform((argument, context) => {
  if (!/^[\x21-\x7e]+$/.test(argument) || argument.includes('"')) {
    return refuse(context, 'expected one argument without spaces and quotes; write one list entry for each');
  }
  const name = argument.split('=')[0] ?? '';
  if (!OWN_PARAMETERS.includes(name)) return argument;
  return refuse(context, `'${name}' is set by Slipway, and signed`, 'remove it: see how the machine boots');
});

const settings = {
  version: text
    .refine(isImageVersion, { error: `expected ${IMAGE_VERSION_HINT}` })
    .prefault('0.1.0')
    .describe('Version of the image. The boot loader starts the newest, by the UAPI version format.')
    .meta({ examples: ['1.4.2', '2.0.0~rc.1'] }),
  architecture: z.enum(['amd64', 'arm64']).prefault('amd64').describe('What it runs on, in Debian words.'),
  distribution: z
    .strictObject({
      suite: text
        .regex(SUITE, 'expected the code name of a Debian suite')
        .prefault('trixie')
        .describe('Debian suite that packages come from.'),
      mirror: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('Mirror to fetch from; without it `SLIPWAY_MIRROR`, or what this machine uses itself.'),
      security_mirror: z
        .url({ protocol: /^https?$/ })
        .optional()
        .describe('The same for security updates.'),
    })
    .prefault({})
    .describe('Where packages come from.'),
  kernel: z
    .strictObject({
      package: text
        .regex(/^[a-z0-9][a-z0-9+.-]+$/, 'expected the name of a Debian package')
        .optional()
        .describe('Debian package of the kernel, where it is to be another one than its flavour says.'),
      flavour: z
        .enum(['cloud', 'full'])
        .prefault('cloud')
        .describe(
          'Which of Debian’s kernels: `cloud` is the small one for virtual machines, `full` has the drivers of real ones.',
        ),
      modules: z
        .array(text.regex(/^[A-Za-z0-9_-]+$/, 'expected the name of a kernel module'))
        .prefault([])
        .describe('Modules beyond those that every image needs; what they depend on comes by itself.')
        .meta({ examples: [['wireguard', 'dm_crypt']] }),
      initrd_modules: z
        .array(text.regex(/^[A-Za-z0-9_-]+$/, 'expected the name of a kernel module'))
        .prefault([])
        .describe(
          'Drivers without which the machine may not reach its disk: they lie in the initrd, too, and are loaded where a device asks for them and no disk was found without.',
        )
        .meta({ examples: [['megaraid_sas', 'mpt3sas']] }),
      firmware: z
        .array(packageSchema)
        .prefault([])
        .describe(
          'Debian packages with firmware for devices (of the component `non-free-firmware`); drivers take theirs from /usr/lib/firmware.',
        )
        .meta({ examples: [[{ name: 'firmware-bnx2', files: ['/usr/lib/firmware/bnx2/**'] }]] }),
      microcode: z
        .boolean()
        .prefault(false)
        .describe('Microcode of Intel and AMD processors, in the signed UKI; loaded before anything else.'),
      command_line: z
        .array(kernelArgument)
        .prefault([])
        .describe('Kernel arguments beyond the signed ones that every image has.')
        .meta({ examples: [['console=ttyS0']] }),
    })
    .prefault({})
    .describe('The Linux kernel.'),
  host: z
    .strictObject({
      packages: z
        .array(packageSchema)
        .prefault([])
        .describe('Debian packages on the host itself, outside any service.'),
      files: z.array(fileSchema).prefault([]).describe('Files on the host itself.'),
      shell: z
        .boolean()
        .prefault(false)
        .describe('Whether `slip shell` may give operators a root shell on the host.'),
      gate_soak: durationSchema
        .prefault('10s')
        .describe('How long every gate must stay healthy before a boot counts as good.'),
    })
    .prefault({})
    .describe('The host under the services. Most images need nothing here.'),
  include: z
    .array(text.min(1))
    .prefault([])
    .describe('Service files, or folders with a `compose.yaml`, relative to this file.')
    .meta({ examples: [['../system-containers/ssh']] }),
  services: z
    .record(
      text.regex(NAME, 'a service name has lower-case letters, digits, - _ and .'),
      z.union([serviceSchema, z.null()]),
    )
    .prefault({})
    .describe(
      'Services of this image alone, written as in a service file. One that is included or inherited under the same name is replaced; empty (`null`) removes it.',
    ),
  users: z.array(userSchema).prefault([]).describe('People who may log in.'),
  disk: z
    .strictObject({
      sector_size: z
        .literal([512, 4096])
        .prefault(512)
        .describe('Sector size of the disk that it is written to, 512 or 4096 bytes.'),
      state_size: sizeSchema
        .refine((bytes) => bytes >= 16 * ALIGNMENT_BYTES && bytes % ALIGNMENT_BYTES === 0, {
          error: 'expected at least 64MB, in steps of 4MB',
        })
        .prefault('64MB')
        .describe(
          'Size of the state partition in the disk image; it grows to the end of the disk at the first boot.',
        ),
    })
    .prefault({})
    .describe('The disk image.'),
  state: z
    .strictObject({
      encrypt: z
        .enum(['none', 'tpm2'])
        .prefault('none')
        .describe(
          '`tpm2`: LUKS2, opened by the machine’s own TPM, and by nothing but signed versions of this image under Secure Boot. A machine without such a TPM keeps nothing.',
        ),
    })
    .prefault({})
    .describe('The state partition, which holds all that a machine keeps.'),
  update: updateSchema
    .optional()
    .describe(
      'How the machine comes to newer versions. Without it the image holds no updater, and nothing updates it.',
    ),
  provisioning: provisioningSchema
    .optional()
    .describe(
      'Where the machine hears what it is to be, and from whom. Without it the image holds no provisioner, and every machine is what the image says.',
    ),
  inputs: z
    .array(text.min(1))
    .prefault([])
    .describe('Folders or URLs that hold packages by their SHA-256; they are asked before the mirror.')
    .meta({ examples: [['./vendor']] }),
};

/** What a profile lays over an image: the same keys, all of them optional. */
const profileSchema = z.strictObject(settings).meta({ id: 'profile' });

export const imageSchema = z.strictObject({
  name: text
    .regex(
      /^[a-z0-9]([a-z0-9.-]{0,30}[a-z0-9])?$/,
      'a name has lower-case letters, digits, - and . (at most 32)',
    )
    .optional()
    .describe(
      'Name of the image. The one key that every image needs; one that extends another needs a name of its own.',
    ),
  extends: text
    .min(1)
    .optional()
    .describe('Another image definition to start from.')
    .meta({ examples: ['minimal.yaml'] }),
  ...settings,
  profiles: z
    .record(
      text.regex(NAME, 'a profile name has lower-case letters, digits, - _ and .'),
      z.union([profileSchema, z.null()]),
    )
    .prefault({})
    .describe(
      'By name, what is laid over this image when the profile is chosen. `debug` also adds a console shell and is signed with debug keys.',
    ),
});

export type ImageInput = z.output<typeof imageSchema>;

/** The top-level keys that tell an image definition from a service file. */
export const IMAGE_ONLY_KEYS: readonly string[] = Object.keys(imageSchema.shape).filter(
  (key) => !['name', 'include', 'services'].includes(key),
);
