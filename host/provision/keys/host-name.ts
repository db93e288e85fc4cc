/** What the machine is called. */
import { key, type Key } from './key.ts';
import { flag, oneOf, text } from './shape.ts';

const LABEL = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
/** RFC 1123. */
const NAME = new RegExp(`^${LABEL}(\\.${LABEL})*\\.?$`);

export function isHostName(name: string): boolean {
  return name.length <= 253 && NAME.test(name);
}

const hostName = text({
  type: 'host name',
  check: (name) => (isHostName(name) ? undefined : `'${name}' is no host name`),
  hint: 'letters, digits and -, in parts with dots between them',
});

export const HOST_NAME_KEYS: readonly Key[] = [
  key({ name: 'hostname', group: 'A', applied: 'state', right: 'network' }, hostName, (draft, name) => {
    draft.hostname = name;
  }),
  key({ name: 'fqdn', group: 'B', applied: 'state', right: 'network' }, hostName, (draft, name) => {
    draft.fqdn = name;
  }),
  key(
    { name: 'prefer_fqdn_over_hostname', group: 'B', applied: 'state', right: 'network' },
    flag,
    (draft, is) => {
      draft.preferFqdn = is;
    },
  ),
  key({ name: 'preserve_hostname', group: 'B', applied: 'state', right: 'network' }, flag, (draft, is) => {
    draft.preserveHostname = is;
  }),
  key(
    { name: 'manage_etc_hosts', group: 'B', applied: 'state', right: 'network' },
    oneOf([true, false, 'localhost', 'template']),
    (draft, how) => {
      draft.manageEtcHosts = { ...how, value: how.value === 'template' ? true : how.value };
    },
  ),
];
