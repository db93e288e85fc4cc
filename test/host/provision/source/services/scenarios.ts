/** What the services of a test do, by name: they run in a process of their own, inside the test's network. */
import { azure, digitalocean, ec2, gce, hetzner, openstack, seedServer, USER_DATA } from './platforms.ts';
import { afterTrouble, NOT_FOUND, type Service } from './service.ts';

const ONE_MIB = 1024 * 1024;

export const PLATFORMS = {
  ec2: () => ec2(),
  gce: () => gce(),
  azure: () => azure(),
  openstack: () => openstack(),
  digitalocean: () => digitalocean(),
  hetzner: () => hetzner(),
} as const satisfies Readonly<Record<string, () => Service>>;

/** What every platform's service does at times, and is read all the same. */
export const TROUBLES = {
  'that throttles': (service) => (request) =>
    request.index < 1 ? { status: 429, headers: { 'Retry-After': '1' } } : service(request),
  'that fails first': (service) => afterTrouble(2, { status: 503 }, service),
  'that is slow': (service) => (request) => ({ ...service(request), delayMs: 400 }),
  'that breaks off first': (service) =>
    afterTrouble(1, { status: 200, body: 'x'.repeat(1000), trouble: 'truncated' }, service),
  'in chunks': (service) => (request) => ({ ...service(request), chunked: true }),
} as const satisfies Readonly<Record<string, (service: Service) => Service>>;

function troubled(): Readonly<Record<string, () => Service>> {
  const all = Object.entries(PLATFORMS).flatMap(([platform, make]) => [
    [`${platform} that knows nobody`, () => () => NOT_FOUND] as const,
    ...Object.entries(TROUBLES).map(
      ([trouble, after]) => [`${platform} ${trouble}`, () => after(make())] as const,
    ),
  ]);
  return Object.fromEntries(all);
}

export const SCENARIOS: Readonly<Record<string, () => Service>> = {
  ec2: () => ec2(),
  'ec2 with two cards': () => ec2({ cards: true }),
  'ec2 without user-data': () => ec2({ userData: null }),
  'ec2 with tokens that end soon': () => ec2({ tokenUses: 2 }),
  'ec2 that is switched off': () => () => ({ status: 403 }),
  ...troubled(),
  'ec2 whose tokens never do': () => ec2({ tokenUses: 0 }),
  'ec2 with user-data without end': () => {
    const service = ec2();
    return (request) =>
      request.path === '/latest/user-data' && request.headers['x-aws-ec2-metadata-token'] !== undefined
        ? { status: 200, trouble: 'endless' }
        : service(request);
  },
  'ec2 that sends elsewhere': () => () => ({
    status: 302,
    headers: { Location: 'http://169.254.169.254/other' },
  }),
  gce: () => gce(),
  'gce with packed user-data': () =>
    gce({ 'user-data': Buffer.from(USER_DATA).toString('base64'), 'user-data-encoding': 'base64' }),
  'gce without the project’s keys': () => gce({ 'block-project-ssh-keys': 'TRUE' }),
  'somebody else’s gce': () => gce({}, 'Other'),
  azure: () => azure(),
  'azure of before': () => azure(['2019-06-01']),
  'azure that does not know us yet': () => afterTrouble(2, { status: 404 }, azure()),
  openstack: () => openstack(),
  'openstack without user-data': () => openstack(null),
  'openstack that knows nobody': () => () => ({ status: 404 }),
  digitalocean: () => digitalocean(),
  'digitalocean with a megabyte': () => () => ({ status: 200, body: 'x'.repeat(ONE_MIB + 1) }),
  'digitalocean that trickles': () => () => ({ status: 200, body: 'x'.repeat(1000), trouble: 'trickle' }),
  'digitalocean without HTTP': () => () => ({ status: 200, trouble: 'no-http' }),
  'digitalocean with a head without end': () => () => ({ status: 200, trouble: 'endless-head' }),
  hetzner: () => hetzner(),
  seed: () =>
    seedServer({
      '/web1/user-data': USER_DATA,
      '/web1/meta-data': 'instance-id: iid-web1\nlocal-hostname: web1\n',
      '/web1/network-config': 'version: 2\n',
    }),
  'a seed without meta-data': () => seedServer({ '/web1/user-data': USER_DATA }),
  'a configuration elsewhere': () => (request) =>
    request.path === '/config'
      ? { status: 302, headers: { Location: '/real/config' } }
      : seedServer({ '/real/config': USER_DATA })(request),
  'a script as configuration': () => seedServer({ '/config': '#!/bin/sh\nrm -rf /\n' }),
  'a circle': () => () => ({ status: 301, headers: { Location: 'http://169.254.169.254/config' } }),
};
