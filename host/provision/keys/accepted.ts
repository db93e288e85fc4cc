/** Keys that are read and have no effect on this machine, each with the reason. */
import { key, without, type Key } from './key.ts';
import { mismatch, remark } from './reader.ts';
import { either, fields, flag, ignored, integer, list, oneOf, text, type Shape } from './shape.ts';

const CONSOLE = 'what provisioning does is in `slip config status` and in the log of the machine';
const NOT_HERE = 'there is nothing of it on this machine';

const stream: Shape<unknown> = either<unknown>('text, list of two texts, or mapping', {
  scalar: text(),
  list: list(text()),
  map: fields({ output: { shape: text() }, error: { shape: text() } }, { noun: 'a stream' }),
});
const output = fields(
  { all: { shape: stream }, init: { shape: stream }, config: { shape: stream }, final: { shape: stream } },
  { noun: 'output' },
);

const vendorData = fields(
  {
    enabled: { shape: flag },
    prefix: { shape: ignored('scripts are started as they are') },
  },
  { noun: 'vendor_data' },
);

const updates = fields(
  {
    network: {
      shape: fields(
        {
          when: {
            shape: list(oneOf(['boot-new-instance', 'boot-legacy', 'boot', 'hotplug'])),
            required: true,
          },
        },
        { noun: "'network'" },
      ),
    },
  },
  { noun: 'updates' },
);

/** Anything that names no second meaning; read for its form by nobody. */
const MERGE_IS_FIXED =
  'there is one rule for merging documents, whatever they ask for: see docs/provisioning.md';

/** `list(append)+dict(recurse_array)+str()`, or `[{name: list, settings: [append]}, ...]`. */
const mergeHow: Shape<true> = {
  type: '`list(...)+dict(...)+str(...)`, or list of mappings with `name` and `settings`',
  read: (node, reader) => {
    const words =
      node.kind === 'scalar'
        ? node.text.split('+').map((part) => /^\s*(list|dict|str)\(([\w, ]*)\)\s*$/.test(part))
        : node.kind === 'list'
          ? node.items.map((item) => mergerItem.read(item, reader) !== undefined)
          : [false];
    if (words.every(Boolean)) return true;
    const hint = "as in 'list(append)+dict(recurse_array)+str()'";
    return node.kind === 'list' ? undefined : mismatch(reader, node, 'a way of merging', hint);
  },
};
const SETTINGS = [
  'allow_delete',
  'no_replace',
  'replace',
  'append',
  'prepend',
  'recurse_dict',
  'recurse_list',
  'recurse_array',
  'recurse_str',
] as const;
const mergerItem = fields(
  {
    name: { shape: oneOf(['list', 'dict', 'str']), required: true },
    settings: { shape: list(oneOf(SETTINGS)), required: true },
  },
  { noun: 'a way of merging' },
);

/** Both names of one key. */
function merging(name: string): Key {
  return without(name, 'B', MERGE_IS_FIXED, mergeHow);
}

export const ACCEPTED_KEYS: readonly Key[] = [
  merging('merge_how'),
  merging('merge_type'),
  key(
    { name: 'vendor_data', group: 'B', applied: 'state', right: null },
    vendorData,
    (draft, { enabled }, reader, node) => {
      if (enabled !== undefined) draft.vendorData = enabled;
      const heard =
        enabled?.value === false ? 'the documents of the platform are left out' : 'as it always is';
      remark(reader, node.at, 'applied', heard);
    },
  ),
  without('output', 'B', CONSOLE, output),
  without('version', 'B', 'there is one version'),
  without('updates', 'B', 'the network is set up at each boot', updates),
  without(
    'locale',
    'B',
    'the machine speaks one language; containers bring their own',
    either('text, `false`', {
      scalar: oneOfText(),
    }),
  ),

  without('create_hostname_file', 'known', 'the host name is set at each boot', flag),
  without('disable_root_opts', 'known', 'nobody logs in as root', text()),
  without('allow_public_ssh_keys', 'known', 'the keys of the platform are for the default user', flag),
  without('ssh_quiet_keygen', 'known', CONSOLE, flag),
  without('ssh_publish_hostkeys', 'known', NOT_HERE),
  without('ssh_fp_console_blacklist', 'known', CONSOLE, list(text())),
  without('ssh_key_console_blacklist', 'known', CONSOLE, list(text())),
  without('ssh', 'known', CONSOLE),
  without('no_ssh_fingerprints', 'known', CONSOLE, flag),
  without('authkey_hash', 'known', CONSOLE, text()),
  without('disable_ec2_metadata', 'known', 'what containers may reach is for their network to say', flag),
  without('rsyslog', 'known', 'run a log forwarder as a service: `services:`'),
  without('wireguard', 'known', 'run it as a service: `services:`'),
  without('locale_configfile', 'known', NOT_HERE, text()),
  without('launch-index', 'known', 'the documents of a source are for one machine', integer(0, 1_000_000)),
  without('reporting', 'known', 'use phone_home'),
  without('system_info', 'known', NOT_HERE),
  without('migrate', 'known', NOT_HERE, flag),
  without('cloud_init_modules', 'known', NOT_HERE),
  without('cloud_config_modules', 'known', NOT_HERE),
  without('cloud_final_modules', 'known', NOT_HERE),
];

function oneOfText(): Shape<unknown> {
  return {
    type: 'text',
    read: (node, reader) =>
      node.kind === 'scalar' && node.value === false ? true : text().read(node, reader),
  };
}
