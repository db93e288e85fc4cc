/** Time, and the console's keyboard. */
import { nearest } from '../../../spec/suggest.ts';
import { zoneNames, zoneRule } from '../../../spec/time-zones.ts';
import { isHostName } from './host-name.ts';
import { key, type Key } from './key.ts';
import { fault } from './reader.ts';
import { at, convert, fields, flag, ignored, list, text } from './shape.ts';

const CLIENT_IS_FIXED = 'the time service of the image keeps the time, whichever it is';

export const hostOrAddress = text({
  type: 'host name or address',
  check: (name) =>
    isHostName(name) || isAddress(name) ? undefined : `'${name}' is no host name and no address`,
});

/** IPv4 or IPv6, in form; the service that gets it judges it in full. */
export function isAddress(name: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || (/^[0-9A-Fa-f:.]+(%\w+)?$/.test(name) && name.includes(':'));
}

const network = text({
  type: 'address or network',
  check: (name) =>
    isAddress(name.replace(/\/\d{1,3}$/, '')) ? undefined : `'${name}' is no address and no network`,
});

const ntp = fields(
  {
    enabled: { shape: flag },
    servers: { shape: list(hostOrAddress) },
    pools: { shape: list(hostOrAddress) },
    peers: { shape: list(hostOrAddress) },
    allow: { shape: list(network) },
    ntp_client: { shape: ignored(CLIENT_IS_FIXED) },
    config: { shape: ignored(CLIENT_IS_FIXED) },
  },
  { noun: 'ntp' },
);

const zone = convert(text({ type: 'time zone' }), (name, reader, node) => {
  const rule = zoneRule(name.value);
  if (rule !== undefined) return { ...name, value: { name: name.value, rule } };
  const meant = nearest(name.value, zoneNames());
  const hint = meant === undefined ? 'write a name such as Europe/Berlin' : `did you mean '${meant}'?`;
  return fault(reader, node.at, 'value', `'${name.value}' is no time zone`, hint);
});

const keyboard = fields(
  {
    layout: { shape: text({ check: keymapWord }), required: true },
    variant: { shape: text({ check: keymapWord }) },
    model: { shape: ignored('a console knows layouts and variants alone') },
    options: { shape: ignored('a console knows layouts and variants alone') },
  },
  { noun: 'keyboard' },
);

export const CLOCK_KEYS: readonly Key[] = [
  key(
    // Alone, it means: with what is usual.
    { name: 'ntp', group: 'A', applied: 'state', right: 'network', bare: true },
    ntp,
    (draft, settings, _reader, node) => {
      draft.ntp = {
        at: settings.at,
        enabled: settings.enabled ?? at(node, true),
        servers: settings.servers ?? [],
        pools: settings.pools ?? [],
        peers: settings.peers ?? [],
        allow: settings.allow ?? [],
      };
    },
  ),
  key({ name: 'timezone', group: 'B', applied: 'state', right: 'files' }, zone, (draft, value) => {
    draft.timezone = value;
  }),
  key({ name: 'keyboard', group: 'B', applied: 'state', right: 'files' }, keyboard, (draft, value) => {
    if (value.layout === undefined) return;
    draft.keyboard = {
      ...value.layout,
      value: { layout: value.layout.value, variant: value.variant?.value ?? null },
    };
  }),
];

function keymapWord(name: string): string | undefined {
  return /^[A-Za-z0-9][\w.-]{0,31}$/.test(name) ? undefined : `'${name}' is no keyboard layout`;
}
