/** What every command begins with: who this machine is, what runs, how it is to follow. */
import { SlipwayError } from '../../spec/error.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { UPDATE_PATHS, type UpdateFile, type UpdateSettings } from '../../spec/update.ts';
import type { System } from '../../system/system.ts';
import { uncheckedServer } from './fetch/https.ts';
import { readOperatorFile } from './operator-file.ts';
import type { Output } from './output.ts';
import type { Parts } from './parts.ts';
import { PATHS } from './paths.ts';
import { mergeSettings, type Merged } from './policy/merge.ts';
import type { RunningVersion } from './switch/facts.ts';

export interface Context {
  readonly system: System;
  readonly parts: Parts;
  readonly output: Output;
  readonly running: RunningVersion;
  readonly hostId: string;
  /** Of the image that runs. */
  readonly buildTimeMs: number;
  /** The image's TUF root. */
  readonly root: Uint8Array;
  /** The image's settings alone. */
  readonly imageSettings: UpdateSettings;
  readonly config: Merged;
  readonly holds: readonly string[];
  /** Whether the output is a terminal at its other end. */
  readonly terminal: boolean;
  /** Throws `update.interrupted` when somebody asked it to stop: called wherever stopping leaves nothing half done. */
  readonly checkInterrupted: () => void;
}

export function openContext(
  system: System,
  parts: Parts,
  rest: Pick<Context, 'output' | 'terminal' | 'checkInterrupted'>,
): Context {
  const file = readImageFile(system);
  const { settings: commanded, holds } = readOperatorFile(system);
  const provisioned = system.readText(PATHS.provisioning);
  return {
    system,
    parts,
    ...rest,
    running: parts.readRunning(system),
    hostId: readHostId(system),
    // Every file of the root bears the time of its build.
    buildTimeMs: system.status(MACHINE_PATHS.description)?.modifiedMs ?? 0,
    root: readRoot(system),
    imageSettings: file.settings,
    config: withProblems(
      system,
      mergeSettings(file.settings, [
        { source: 'provisioning', text: provisioned },
        { source: 'command', text: JSON.stringify({ format: '1.0', settings: commanded }) },
      ]),
    ),
    holds,
  };
}

function withProblems(system: System, config: Merged): Merged {
  const problem = uncheckedServer(system, config.settings);
  return problem === undefined ? config : { ...config, problems: [...config.problems, problem] };
}

function readImageFile(system: System): UpdateFile {
  const text = system.readText(UPDATE_PATHS.config);
  if (text === undefined)
    throw new SlipwayError('update.not-configured', 'this image has no `update:`', {
      hint: 'add it to the image definition; this version has to be replaced by hand once',
    });
  // From the verified root: the builder has written it.
  return JSON.parse(text) as UpdateFile;
}

function readRoot(system: System): Uint8Array {
  const text = system.readText(UPDATE_PATHS.root);
  if (text === undefined) throw new SlipwayError('update.not-configured', 'this image has no update root');
  return system.encode(text);
}

/** Without a state partition there is none: then one that is never first. */
function readHostId(system: System): string {
  const [id = ''] = (system.readText(PATHS.hostId) ?? '').split(/\s/);
  return /^[0-9a-f]{32}$/.test(id) ? id : 'unknown';
}
