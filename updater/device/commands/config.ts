/** `config`: the settings, each with where it comes from; and changes of them on this machine. */
import { SlipwayError } from '../../../spec/error.ts';
import { own } from '../../../spec/own.ts';
import { nearest } from '../../../spec/suggest.ts';
import { fullDownloadPolicy, rebootPolicy, type UpdateSettings } from '../../../spec/update.ts';
import { formatTable } from '../../../system/format.ts';
import type { Command } from '../command.ts';
import { openContext, type Context } from '../context.ts';
import { allMirrors, checkAuthority, checksServers, faultOfAuthority } from '../fetch/https.ts';
import { followSoon } from '../follow-memory.ts';
import { readOperatorFile, writeOperatorFile } from '../operator-file.ts';
import { SETTINGS, type Setting } from '../policy/settings.ts';

export const configCommand: Command = {
  name: 'config',
  synopsis: '[KEY [VALUE]] [--unset]',
  summary: 'shows settings, or changes one on this machine',
  details: 'Keys are those of `update:` in the image definition. What is set here outlives updates.',
  flags: [{ name: 'unset', value: false, help: "back to the image's own" }],
  words: [0, 2],
  run: async (context, { words, flags }) => {
    const [key, value] = words;
    if (key === undefined) return show(context, Object.keys(SETTINGS));
    const setting = settingOf(key);
    const unset = flags.has('unset');
    if (value === undefined && !unset) return show(context, [key]);
    if (value !== undefined && unset) throw new SlipwayError('update.setting', '--unset takes no value');
    if (value !== undefined && setting.parse(value) === undefined)
      throw new SlipwayError('update.setting', `'${value}' is no value of ${key}`, {
        hint: `it takes ${setting.form}`,
      });
    if (value !== undefined) checkHttps(context, key, value);
    await change(context, key, value);
    return show(openContext(context.system, context.parts, context), [key]);
  },
};

function settingOf(key: string): Setting {
  const setting = own(SETTINGS, key);
  if (setting !== undefined) return setting;
  const meant = nearest(key, Object.keys(SETTINGS));
  throw new SlipwayError('update.setting', `'${key}' is no setting`, {
    hint: meant === undefined ? `there are: ${Object.keys(SETTINGS).join(', ')}` : `did you mean '${meant}'?`,
  });
}

/** What would not be enforced on this machine is refused. */
function checkHttps({ system, config }: Context, key: string, value: string): void {
  if (!['ca', 'url', 'mirrors'].includes(key)) return;
  const setting = settingOf(key);
  const settings: UpdateSettings = { ...config.settings, [setting.name]: setting.parse(value) };
  if (settings.ca === null) return;
  const fault = key === 'ca' ? faultOfAuthority(system, settings.ca) : undefined;
  if (fault !== undefined) throw new SlipwayError('update.setting', fault);
  checkAuthority(
    { caFile: settings.ca, mirrors: allMirrors(settings) },
    { kind: checksServers(system) ? 'curl' : 'wget' },
  );
}

async function change({ system }: Context, key: string, value: string | undefined): Promise<void> {
  const file = readOperatorFile(system);
  const others = Object.entries(file.settings).filter(([name]) => name !== key);
  const settings = Object.fromEntries(value === undefined ? others : [...others, [key, value]]);
  await writeOperatorFile(system, { ...file, settings });
  followSoon(system);
}

function show({ config, output }: Context, keys: readonly string[]): number {
  const shown = keys.map((key) => {
    const { name, format } = settingOf(key);
    const value = format(config.settings[name]);
    return { key, value, source: config.sources[key] ?? 'image', means: meaning(config.settings, name) };
  });
  const problems = config.problems.map((problem) => `\nbeware: ${problem}`).join('');
  output.result(
    `${formatTable(
      shown.map(({ key, value, source, means }) => [
        key,
        means === undefined ? value : `${value}, so ${means}`,
        source,
      ]),
    )}${problems}`,
    {
      settings: Object.fromEntries(shown.map(({ key, value, source }) => [key, { value, source }])),
      problems: config.problems,
    },
  );
  return 0;
}

/** What a setting that was left open comes to. */
function meaning(settings: UpdateSettings, name: keyof UpdateSettings): string | undefined {
  if (name === 'reboot' && settings.reboot === null) return rebootPolicy(settings);
  return name === 'fullDownloads' && settings.fullDownloads === null
    ? fullDownloadPolicy(settings)
    : undefined;
}
