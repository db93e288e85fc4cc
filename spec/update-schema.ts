/** `update:` as it is written in an image definition. */
import * as z from 'zod';
import { refuse } from './names.ts';
import { durationSchema, sizeSchema } from './quantities.ts';
import { nearest } from './suggest.ts';
import { zoneNames, zoneRule } from './time-zones.ts';
import {
  CHANNEL,
  DOWNLOAD_POLICIES,
  FULL_DOWNLOAD_POLICIES,
  parseHttpUrl,
  parseTimeOfDay,
  REBOOT_POLICIES,
  WAVES,
  WEEKDAYS,
  type UpdateSettings,
} from './update.ts';

const httpUrlSchema = z
  .string()
  .transform(
    (text, context) =>
      parseHttpUrl(text) ??
      refuse(context, `'${text}' is no address`, 'write http:// or https://, a host name, and a path'),
  )
  .meta({ title: 'HTTP address' });

const timeSchema = z
  .string()
  .transform(
    (text, context) =>
      parseTimeOfDay(text) ??
      refuse(context, `'${text}' is no time of day`, "write hours and minutes in quotes: '02:30'"),
  )
  .meta({ title: 'time of day', examples: ['02:30'] });

const zoneSchema = z.string().transform((text, context) => {
  const rule = zoneRule(text);
  if (rule !== undefined) return { name: text, rule };
  const meant = nearest(text, zoneNames());
  const hint = meant === undefined ? 'write a name such as Europe/Berlin' : `did you mean '${meant}'?`;
  return refuse(context, `'${text}' is no time zone`, hint);
});

const windowSchema = z
  .strictObject({
    days: z
      .array(z.enum(WEEKDAYS))
      .min(1)
      .prefault([...WEEKDAYS])
      .describe('Days of the week on which it begins.')
      .meta({ examples: [['sat', 'sun']] }),
    from: timeSchema.describe('When it begins.'),
    to: timeSchema.describe('When it ends; on the day after, when it is not later than `from`.'),
    time_zone: zoneSchema
      .prefault('UTC')
      .describe('Whose clock is meant, by its IANA name.')
      .meta({ examples: ['Europe/Berlin'] }),
  })
  .transform(({ days, from, to, time_zone: zone }, context) => {
    if (from === 1440)
      return refuse(context, 'a window cannot begin at 24:00', "write '00:00' and the day after", {
        path: ['from'],
      });
    if (from === to)
      return refuse(context, 'this window is empty', "the whole day is from '00:00' to '24:00'", {
        path: ['to'],
      });
    return {
      days: [...new Set(days.map((day) => WEEKDAYS.indexOf(day)))].sort(),
      fromMinute: from,
      toMinute: to > from ? to : to + 1440,
      timeZone: zone.name,
      zoneRule: zone.rule,
    };
  });

export const updateSchema = z.strictObject({
  enabled: z
    .boolean()
    .prefault(true)
    .describe('Whether the machine follows its channel by itself; otherwise only `slip update` updates it.'),
  url: httpUrlSchema
    .optional()
    .describe(
      'The repository. Plain HTTP will do: signatures protect what comes. Without it, updates come as bundles alone.',
    )
    .meta({ examples: ['http://updates.example.com/minimal'] }),
  mirrors: z
    .array(httpUrlSchema)
    .prefault([])
    .describe('More places that hold the same repository, tried in this order when the one before fails.'),
  channel: z
    .string()
    .regex(CHANNEL, 'a channel has lower-case letters, digits and - (at most 32)')
    .prefault('stable')
    .describe('Which releases are meant for this machine.'),
  poll: durationSchema
    .refine((ms) => ms >= 1000 && ms <= 604_800_000, { error: 'expected 1s to 168h' })
    .prefault('1h')
    .describe('How often to look for a new release; every machine varies it a little.'),
  download: z
    .enum(DOWNLOAD_POLICIES)
    .prefault('auto')
    .describe('`auto` fetches what is due into the other slot; `manual` waits for `slip update apply`.'),
  reboot: z
    .enum(REBOOT_POLICIES)
    .optional()
    .describe(
      'What happens when it is fetched: `auto` switches at once, `window` in the next of the `windows`, `manual` waits for `slip update apply`. Without it `window` where there are windows, else `auto`.',
    ),
  windows: z
    .array(windowSchema)
    .max(64)
    .prefault([])
    .describe('When the machine may restart into a new version.')
    .meta({ examples: [[{ days: ['sat', 'sun'], from: '02:00', to: '05:00', time_zone: 'Europe/Berlin' }]] }),
  bandwidth_limit: sizeSchema
    .refine((bytes) => bytes >= 1024, { error: 'expected at least 1kB' })
    .optional()
    .describe('At most so much each second.')
    .meta({ examples: ['2MB'] }),
  metered: z.boolean().prefault(false).describe('Whether the network costs by volume.'),
  full_downloads: z
    .enum(FULL_DOWNLOAD_POLICIES)
    .optional()
    .describe(
      'When no delta fits: `always` fetches the whole image, `ask` waits for `slip update apply --yes-full`, `never` skips the release. Without it `ask` on a metered network, else `always`.',
    ),
  proxy: httpUrlSchema
    .optional()
    .describe('HTTP proxy to fetch through.')
    .meta({ examples: ['http://proxy.example.com:3128'] }),
  ca: z
    .string()
    .min(1)
    .optional()
    .describe('File of certificates (PEM), relative to this one, that HTTPS servers are checked with.'),
  wave: z
    .union([z.enum(WAVES), z.number().min(0).max(1)])
    .prefault('normal')
    .describe(
      'Where in each roll-out this machine stands: `early`, `late`, a number from 0 (first) to 1 (last), or wherever chance puts it.',
    ),
});

export type UpdateInput = z.output<typeof updateSchema>;

/** Settings as the machine knows them. `ca`: the path that the certificates have there. */
export function updateSettings(input: UpdateInput, ca: string | null): UpdateSettings {
  return {
    enabled: input.enabled,
    url: input.url ?? null,
    mirrors: input.mirrors,
    channel: input.channel,
    pollMs: input.poll,
    download: input.download,
    reboot: input.reboot ?? null,
    windows: input.windows,
    bandwidthBytesPerSecond: input.bandwidth_limit ?? null,
    metered: input.metered,
    fullDownloads: input.full_downloads ?? null,
    proxy: input.proxy ?? null,
    ca,
    wave: input.wave,
  };
}
