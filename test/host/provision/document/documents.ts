/** Documents for fuzzing: what people write, broken in every way, and what nobody would. */
import * as fc from 'fast-check';

/** Every key, each in a form that is taken. */
export const CORPUS: readonly string[] = [
  `#cloud-config
users:
  - default
  - {name: ann, groups: [docker, sudo], uid: 1500, ssh_authorized_keys: ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIg ann'], sudo: false}
  - &bob {name: bob, lock_passwd: true, shell: /bin/sh}
groups: [docker, {staff: [ann, bob]}]
chpasswd: {expire: false}
ssh_pwauth: no
disable_root: true
ssh_import_id: [gh:ann]
ssh_deletekeys: true
ssh_genkeytypes: [ed25519]
`,
  `#cloud-config
hostname: web
final_message: größer
fqdn: web.example.org
manage_etc_hosts: localhost
write_files:
  - path: /var/lib/app/config
    content: |
      first
        second: {{ not.a.template }}
    permissions: 0644
    owner: ann:staff
  - {path: /var/b, content: !!binary AAEC, permissions: '0o600'}
  - {path: /var/c, content: aGVsbG8=, encoding: b64, permissions: 420}
timezone: Europe/Berlin
ntp: {servers: [192.0.2.1, ntp.example.org], enabled: on}
`,
  `#cloud-config
device_aliases: {data: /dev/vdb}
disk_setup: {data: {table_type: gpt, layout: [50, [50, 82]], overwrite: false}}
fs_setup: [{device: data.1, filesystem: ext4, label: data, partition: auto}]
mounts: [[data.1, /var/data, ext4, "defaults,nofail", 0, 2], [/dev/vdc, none, swap]]
mount_default_fields: [null, null, auto, "defaults,nofail", "0", "2"]
swap: {filename: /var/swap, size: 1.5G}
growpart: {mode: auto, devices: [/]}
resize_rootfs: noblock
`,
  `#cloud-config
bootcmd: [echo boot, [sleep, 1]]
runcmd:
  - "echo 'a: b'"
  - [sh, -c, "echo \\"hello\\""]
power_state: {mode: reboot, delay: +5, condition: [test, -e, /a]}
phone_home: {url: "https://a.example/$INSTANCE_ID", post: [hostname], tries: 3}
random_seed: {data: c2VlZA==, encoding: b64}
services:
  web: {image: docker.io/library/nginx:1, environment: {A: 1}}
update: {channel: beta, windows: [{days: [sat], from: '02:00', to: '05:00', time_zone: Europe/Berlin}], poll: 30m}
ca_certs: {remove_defaults: false, trusted: ["-----BEGIN CERTIFICATE-----\\nAA==\\n-----END CERTIFICATE-----\\n"]}
manage_resolv_conf: true
resolv_conf: {nameservers: [192.0.2.53], options: {rotate: true, ndots: 2}}
install: {disk: smallest}
keyboard: {layout: de}
locale: en_US.UTF-8
merge_how: list(append)+dict(recurse_array)+str()
`,
  '#!/bin/sh\necho hello\n',
  '## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}\n',
  '#include\nhttp://a.example/\n',
  '#cloud-config-archive\n- "#!/bin/sh\\n"\n- {type: text/cloud-config, content: "hostname: a\\n"}\n',
  'Content-Type: multipart/mixed; boundary="=="\nMIME-Version: 1.0\n\n--==\nContent-Type: text/cloud-config\n\nhostname: a\n--==\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyEvYmluL3NoCg==\n--==--\n',
];

/** What breaks parsers: put anywhere. */
const NASTY: readonly string[] = [
  ...[
    '\0',
    '\t',
    '\r',
    '\ufeff',
    '\u2028',
    '\ud83d',
    '😀',
    '&a',
    '*a',
    '<<: *a',
    '!!python/object:x',
    '!!binary',
    '!x',
    '? ',
    '- ',
    ': ',
    '--- ',
    '...',
  ],
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '|',
    '>',
    '%YAML 1.1',
    '#',
    '@',
    '`',
    '{{',
    '{%',
    '}}',
    '__proto__: 1',
    'constructor: {}',
    '0777777777777777777777',
    '1e999',
  ],
  ...[
    '.inf',
    '.nan',
    '0x',
    '0o9',
    '1_000',
    '12:30:45',
    '~',
    'null',
    'yes',
    '9007199254740993',
    '\n',
    '\n\n',
    '  ',
    '--==',
    '--==--',
    '=',
    '=ZZ',
    '\u001f\u008b',
  ],
  ...['[['.repeat(30), '{a: '.repeat(50), '- '.repeat(60), 'a: &a [*a, *a]'],
];

const mutation = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.nat({ max: 40 }),
  fc.constantFrom('', ...NASTY),
);

function broken(text: string, changes: readonly (readonly [number, number, string])[]): string {
  return changes.reduce((whole, [where, removed, added]) => {
    const at = Math.floor(where * whole.length);
    return whole.slice(0, at) + added + whole.slice(at + (added === '' || removed % 3 === 0 ? removed : 0));
  }, text);
}

const text = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(fc.constantFrom(...CORPUS), fc.array(mutation, { maxLength: 4 }))
      .map(([base, changes]) => broken(base, changes)),
  },
  {
    weight: 2,
    arbitrary: fc
      .array(fc.constantFrom(...NASTY, 'a', 'users', 'runcmd'), { maxLength: 30 })
      .map((parts) => `#cloud-config\n${parts.join('')}`),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 60 }) },
);

/** The bytes of user-data. */
export const documentBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  { weight: 12, arbitrary: text.map((whole) => new TextEncoder().encode(whole)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 80 }) },
);
