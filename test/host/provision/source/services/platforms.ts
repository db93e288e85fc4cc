/** The platforms' services, as their documentation and cloud-init's sources have them: tokens, headers, statuses and all. */
import { json, NOT_FOUND, text, type Service } from './service.ts';

export const USER_DATA = '#cloud-config\nhostname: from-user-data # ä\n';
export const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGd0bG9ja2VkdG9ja2VkdG9ja2VkdG9ja2VkdG9j a@b';
const OTHER_KEY = 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 c@d';
const base64 = (value: string): string => Buffer.from(value).toString('base64');

export interface Ec2Options {
  /** Tokens are good for so many requests. */
  readonly tokenUses?: number;
  /** `null`: none was given. */
  readonly userData?: string | null;
  /** Two cards, the second named first; the first has two addresses. */
  readonly cards?: boolean;
}

/** docs.aws.amazon.com: "Use the Instance Metadata Service to access instance metadata". Version 1 is off. */
export function ec2({ tokenUses = Infinity, userData = USER_DATA, cards = false }: Ec2Options = {}): Service {
  let tokens = 0;
  let uses = 0;
  const paths: Readonly<Record<string, string | undefined>> = {
    '/latest/dynamic/instance-identity/document': JSON.stringify({
      instanceId: 'i-0123456789abcdef0',
      region: 'eu-central-1',
      availabilityZone: 'eu-central-1a',
      instanceType: 't3.small',
      accountId: '123456789012',
    }),
    '/latest/meta-data/local-hostname': 'ip-10-0-0-5.eu-central-1.compute.internal',
    '/latest/meta-data/ami-launch-index': '3',
    '/latest/meta-data/public-keys/': '0=first\n1=second',
    '/latest/meta-data/public-keys/0/openssh-key': `${KEY}\n`,
    '/latest/meta-data/public-keys/1/openssh-key': `${OTHER_KEY}\n`,
    '/latest/user-data': userData ?? undefined,
    ...(cards ? EC2_CARDS : {}),
  };
  return ({ method, path, headers }) => {
    if (path === '/latest/api/token') {
      if (method !== 'PUT') return { status: 405 };
      if (!/^\d+$/.test(String(headers['x-aws-ec2-metadata-token-ttl-seconds']))) return { status: 400 };
      // Through a proxy there is no token.
      if (headers['x-forwarded-for'] !== undefined) return { status: 403 };
      uses = 0;
      return text(`token-${++tokens}==`);
    }
    if (headers['x-aws-ec2-metadata-token'] !== `token-${tokens}==` || ++uses > tokenUses)
      return { status: 401 };
    const found = paths[path];
    return found === undefined ? NOT_FOUND : text(found);
  };
}

const MACS = '/latest/meta-data/network/interfaces/macs/';
const EC2_CARDS: Readonly<Record<string, string>> = {
  [MACS]: '06:00:00:00:00:02/\n06:00:00:00:00:01/',
  [`${MACS}06:00:00:00:00:01/device-number`]: '0',
  [`${MACS}06:00:00:00:00:01/local-ipv4s`]: '10.0.0.5\n10.0.0.6',
  [`${MACS}06:00:00:00:00:01/subnet-ipv4-cidr-block`]: '10.0.0.0/20',
  [`${MACS}06:00:00:00:00:01/ipv6s`]: '2001:db8::5',
  [`${MACS}06:00:00:00:00:02/device-number`]: '1',
  [`${MACS}06:00:00:00:00:02/local-ipv4s`]: '10.0.16.5',
};

/** cloud.google.com/compute/docs/metadata: both sides say the flavour; numbers of 19 digits. */
export function gce(attributes: Readonly<Record<string, string>> = {}, flavor = 'Google'): Service {
  return ({ path, headers }) => {
    if (headers['metadata-flavor'] !== 'Google')
      return { status: 403, body: 'Missing Metadata-Flavor:Google header.' };
    const answered = (body: string): ReturnType<Service> => ({
      status: 200,
      body,
      headers: { 'Metadata-Flavor': flavor, Server: 'Metadata Server for VM' },
    });
    if (path === '/computeMetadata/v1/instance/id') return answered('4520031799277581759');
    if (path === '/computeMetadata/v1/instance/?recursive=true')
      return answered(
        JSON.stringify({
          id: 4520031799277582000,
          hostname: 'vm1.europe-west1-b.c.project.internal',
          zone: 'projects/123/zones/europe-west1-b',
          machineType: 'projects/123/machineTypes/e2-small',
          attributes: {
            'user-data': USER_DATA,
            'ssh-keys': [
              `alice:${KEY}`,
              `bob:${OTHER_KEY.replace(' c@d', '')} google-ssh {"userName":"b","expireOn":"2018-12-04T20:12:00+0000"}`,
            ].join('\n'),
            ...attributes,
          },
          serviceAccounts: { default: { email: 'x' } },
        }),
      );
    if (path === '/computeMetadata/v1/project/attributes/?recursive=true')
      return answered(JSON.stringify({ 'ssh-keys': `carol:${OTHER_KEY}` }));
    return NOT_FOUND;
  };
}

/** learn.microsoft.com: "Azure Instance Metadata Service"; the wire server's part is on 168.63.129.16, here on the same socket. */
export function azure(versions: readonly string[] = ['2021-08-01'], userData = USER_DATA): Service {
  return ({ method, path, headers, body }) => {
    if (path.startsWith('/machine')) return wireServer(method, path, headers, body);
    if (headers['metadata'] !== 'true')
      return { status: 400, body: '{"error":"Bad request. Required metadata header not specified"}' };
    const url = new URL(path, 'http://x');
    if (url.pathname !== '/metadata/instance') return NOT_FOUND;
    if (!versions.includes(url.searchParams.get('api-version') ?? ''))
      return {
        status: 400,
        body: JSON.stringify({ error: 'Bad request. api-version is invalid', 'newest-versions': versions }),
      };
    return json({
      compute: {
        vmId: '02AAB8A4-74EF-476E-8182-F6D2BA4166A6',
        name: 'vm1',
        location: 'westeurope',
        zone: '1',
        vmSize: 'Standard_B2s',
        osProfile: {
          adminUsername: 'azureuser',
          computerName: 'examplevm',
          disablePasswordAuthentication: 'true',
        },
        publicKeys: [{ keyData: `${KEY}\r\n`, path: '/home/azureuser/.ssh/authorized_keys' }],
        userData: base64(userData),
        customData: '',
      },
      network: {
        interface: [
          {
            ipv4: {
              ipAddress: [
                { privateIpAddress: '10.1.0.4', publicIpAddress: '20.0.0.1' },
                { privateIpAddress: '10.1.0.9', publicIpAddress: '' },
              ],
              subnet: [{ address: '10.1.0.0', prefix: '24' }],
            },
            ipv6: { ipAddress: [] },
            macAddress: '000D3AFFFE01',
          },
        ],
      },
    });
  };
}

/** `ovf-env.xml` on the disc that Azure attaches at the first boot. */
export function azureEnvironment(customData: string): string {
  return `<?xml version="1.0" encoding="utf-8"?><Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:wa="http://schemas.microsoft.com/windowsazure"><wa:ProvisioningSection><wa:Version>1.0</wa:Version>
<LinuxProvisioningConfigurationSet xmlns="http://schemas.microsoft.com/windowsazure"><HostName>vm</HostName><UserName>a</UserName>
<UserPassword>secret-word</UserPassword><CustomData>${base64(customData)}</CustomData></LinuxProvisioningConfigurationSet></wa:ProvisioningSection></Environment>`;
}

function wireServer(
  ...[method, path, headers, body]: [string, string, Parameters<Service>[0]['headers'], string]
): ReturnType<Service> {
  if (headers['x-ms-version'] !== '2012-11-30') return { status: 400 };
  if (method === 'GET' && path === '/machine/?comp=goalstate')
    return {
      status: 200,
      headers: { 'Content-Type': 'text/xml; charset=utf-8' },
      body: `<?xml version="1.0" encoding="utf-8"?>
<GoalState xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><Version>2012-11-30</Version><Incarnation>1</Incarnation>
<Machine><ExpectedState>Started</ExpectedState></Machine><Container><ContainerId>c6d5526c-5ac2-4200</ContainerId>
<RoleInstanceList><RoleInstance><InstanceId>utl-_2f85e8e6.vm1</InstanceId></RoleInstance></RoleInstanceList></Container></GoalState>`,
    };
  if (method === 'POST' && path === '/machine?comp=health') {
    const right =
      headers['content-type'] === 'text/xml; charset=utf-8' &&
      body.includes('<GoalStateIncarnation>1</GoalStateIncarnation>') &&
      body.includes('<ContainerId>c6d5526c-5ac2-4200</ContainerId>') &&
      body.includes('<InstanceId>utl-_2f85e8e6.vm1</InstanceId>') &&
      body.includes('<State>Ready</State>');
    return { status: right ? 200 : 400 };
  }
  return NOT_FOUND;
}

export const OPENSTACK_META_DATA = {
  uuid: 'd8e02d56-2648-49a3-bf97-6be8f1204f38',
  hostname: 'test.novalocal',
  name: 'test',
  availability_zone: 'nova',
  public_keys: { mykey: `${KEY}\n` },
  admin_pass: 'secret-word',
  random_seed: 'c2VlZA==',
};
export const OPENSTACK_NETWORK = {
  links: [
    { id: 'tap1a81968a', type: 'ovs', ethernet_mac_address: 'FA:16:3E:ED:9A:59', mtu: 1450, vif_id: 'x' },
    { id: 'tap2', type: 'phy', ethernet_mac_address: 'fa:16:3e:00:00:02', mtu: null },
  ],
  networks: [
    {
      id: 'n0',
      link: 'tap1a81968a',
      type: 'ipv4',
      ip_address: '192.168.1.5',
      netmask: '255.255.254.0',
      routes: [{ network: '0.0.0.0', netmask: '0.0.0.0', gateway: '192.168.0.1' }],
    },
    { id: 'n1', link: 'tap2', type: 'ipv4_dhcp' },
  ],
  services: [{ type: 'dns', address: '8.8.8.8' }],
};

/** docs.openstack.org/nova: "Metadata service". */
export function openstack(userData: string | null = USER_DATA): Service {
  return ({ path }) => {
    if (path === '/openstack/latest/meta_data.json') return json(OPENSTACK_META_DATA);
    if (path === '/openstack/latest/network_data.json') return json(OPENSTACK_NETWORK);
    if (path === '/openstack/latest/vendor_data.json') return json({ 'cloud-init': '#cloud-config\n{}\n' });
    if (path === '/openstack/latest/user_data' && userData !== null) return text(userData);
    return NOT_FOUND;
  };
}

/** docs.digitalocean.com/reference/api/metadata: one document. */
export function digitalocean(): Service {
  return ({ path }) =>
    path === '/metadata/v1.json'
      ? json({
          droplet_id: 2756294,
          hostname: 'sample-droplet',
          vendor_data: '#cloud-config\n{}\n',
          user_data: USER_DATA,
          public_keys: [KEY],
          auth_key: 'secret-word',
          region: 'nyc3',
          interfaces: {
            public: [
              {
                ipv4: { ip_address: '104.131.20.105', netmask: '255.255.192.0', gateway: '104.131.0.1' },
                ipv6: {
                  ip_address: '2604:A880:0800:0010:0000:0000:017D:2001',
                  cidr: 64,
                  gateway: '2604:A880:0800:0010:0000:0000:0000:0001',
                },
                anchor_ipv4: { ip_address: '10.17.0.9', netmask: '255.255.0.0', gateway: '10.17.0.1' },
                mac: '04:01:2A:0F:2A:01',
                type: 'public',
              },
            ],
            private: [
              {
                ipv4: { ip_address: '10.132.255.113', netmask: '255.255.0.0', gateway: '10.132.0.1' },
                mac: '04:01:2a:0f:2a:02',
                type: 'private',
              },
            ],
          },
          dns: { nameservers: ['2001:4860:4860::8844', '8.8.8.8'] },
        })
      : NOT_FOUND;
}

/** docs.hetzner.cloud: "Server Metadata": YAML. */
export function hetzner(): Service {
  return ({ path }) => {
    if (path === '/hetzner/v1/metadata')
      return text(`availability-zone: fsn1-dc14
hostname: my-server
instance-id: 42
local-ipv4: ''
network-config:
  config:
  - mac_address: 96:00:00:11:22:33
    name: eth0
    subnets:
    - {ipv4: true, type: dhcp}
    type: physical
  version: 1
public-keys:
- ${KEY}
region: eu-central
vendor_data: |
  #cloud-config
  {}
`);
    return path === '/hetzner/v1/userdata' ? text(USER_DATA) : NOT_FOUND;
  };
}

/** Where a NoCloud seed lies on a web server. */
export function seedServer(files: Readonly<Record<string, string>>): Service {
  return ({ path }) => {
    const file = files[path];
    return file === undefined ? NOT_FOUND : text(file);
  };
}
