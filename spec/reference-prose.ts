/** What the reference pages say beyond the tables. The YAML examples are loaded by a test. */

export const IMAGE_EXAMPLE = `# yaml-language-server: $schema=../schema/image.schema.json
name: my-host
version: 1.0.0
include:
  - ../system-containers/network
  - ../system-containers/time
  - ../system-containers/ssh
users:
  - name: admin
    uid: 1000
    groups: [operators]
`;

export const SERVICE_EXAMPLE = `# yaml-language-server: $schema=../../schema/service.schema.json
services:
  web:
    command: [/usr/sbin/lighttpd, -D, -f, /etc/lighttpd/lighttpd.conf]
    network_mode: host
    read_only: true
    cap_drop: [ALL]
    cap_add: [NET_BIND_SERVICE, SETUID, SETGID]
    restart: always
    tmpfs: [/run, "/tmp:size=16m"]
    depends_on:
      network: { condition: service_healthy }
    healthcheck:
      test: [CMD, /usr/bin/busybox, wget, -qO, /dev/null, "http://127.0.0.1/"]
      interval: 10s
    x-slipway:
      gate: true
      packages:
        - lighttpd
        - { name: busybox, files: [/usr/bin/busybox] }
      state:
        - { path: /var/log/lighttpd, mode: "0750" }
`;

export const IMAGE_PROSE = {
  opening: `# Image definition

One YAML file describes a host. \`slipway validate FILE\` checks it, \`slipway build FILE\` builds it. A whole one:

\`\`\`yaml
${IMAGE_EXAMPLE}\`\`\`

Everything but \`name\` has a default. A key that is not on this page is an error, except that keys beginning with \`x-\` are yours
and are ignored. Paths are relative to the file in which they are written.`,
  rules: `## One definition over another

\`extends: base.yaml\` starts from another image definition, and a profile (\`slipway build --profile NAME\`) lays its keys over the
image. One rule holds for both:

- A mapping merges key by key.
- A list is appended to. An entry with the same \`name\` (packages, users) or \`path\` (files) replaces the earlier one.
- Anything else replaces.
- \`!override\` before a list or mapping replaces it whole; \`!reset\` removes what was there (as in Compose).
- **Services are exchanged by name**: a service that a later layer includes or writes under the same name replaces the earlier one
  whole, and \`services: { NAME: null }\` removes it. So an image that differs in its SSH server is two lines:

\`\`\`yaml
name: my-small-host
extends: my-host.yaml
include: [../system-containers/dropbear]   # its service is called ssh, too
\`\`\`

To change one key of a service instead, write it under \`services:\` with Compose's own \`extends: { file: ..., service: ... }\`.

The layers, lowest first: what is extended, the file itself, then the chosen profiles in the order given, those of the extended
definition first. The name is never inherited. Within one layer, two included files must not define the same service.

## Values

- **Size**: \`64MB\`, \`1GiB\`, \`512k\`, or a number of bytes. As in Compose, all units are powers of 1024.
- **Duration**: \`30s\`, \`1m30s\`, \`500ms\`.
- **File mode**: quoted octal \`'0644'\`, or \`0o644\`. A bare 644 or 0644 is refused: YAML 1.2 reads both as the decimal number 644.
- **Version**: digits with dots, and \`~\` before what comes earlier: \`2.0.0~rc.1\` is older than \`2.0.0\`. Quote what looks like a
  number: \`version: '1.0'\`.

Limits: 256 KiB and 40 levels of nesting a file, 500 files an image.`,
} as const;

export const SERVICE_PROSE = {
  opening: `# Service file

A system service is a container, described with the keys of the
[Compose Specification](https://github.com/compose-spec/compose-spec). What Compose lacks stands under \`x-slipway\`.

\`\`\`yaml
${SERVICE_EXAMPLE}\`\`\`

A service file is \`compose.yaml\` in a folder of its own, usually with one service. If that folder has a folder \`files/\`, everything
in it is put into the root file system of the service (mode 0755 where a file is executable, else 0644). A file with several services
names such folders itself: \`x-slipway: { files: [{ path: /, source: ./web-files }] }\`.

Every key on this page is enforced; any other is an error, except that keys beginning with \`x-\` are yours and are ignored.`,
  rules: `## Where it differs from Compose

- **No variables.** \`$NAME\` and \`\${NAME}\` are errors, because an image must not depend on the workstation that builds it; \`$$\` is a
  dollar sign. Under \`x-slipway\`, which is not Compose's, a dollar is a dollar.
- **\`network_mode\` is \`none\` unless you say \`host\`**: there is no bridge, and no service is reachable by accident.
- **\`image\` or \`x-slipway.packages\`**: a service made of Debian packages needs a \`command\` or \`entrypoint\`.
- **Bind mounts name paths of the machine**, never of the folder that holds the file.
- **No anonymous volumes**: name one, or use \`x-slipway.state\`.
- **A tmpfs is always nosuid, nodev and noexec.**
- \`include\` takes files only; \`extends\` and files given together merge as in Compose, \`!reset\` and \`!override\` included.

## How services are ordered and judged

- \`depends_on\` waits for \`service_started\`, \`service_healthy\` (which needs a healthcheck), or \`service_completed_successfully\`.
  Circles, missing services and conditions that can never be met are found when the image is validated.
- \`type: onboot\` runs once; \`type: onshutdown\` runs once when the machine goes down, and nothing can wait for it.
- \`gate: true\` on a service means that its healthcheck must pass before a boot counts as good; on an \`onboot\` one, that it succeeded.
- A check of the form \`CMD-SHELL\` needs \`/bin/sh\` in the root file system; the builder refuses it where there is none.`,
} as const;
