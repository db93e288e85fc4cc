/** What a running machine of any distribution is made of, as far as taking it over needs it. */
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import { onMachine, type SshAddress, type SshOptions } from './address.ts';
import { takeoverScript } from './scripts.ts';

export interface RemoteDisk {
  /** `sda` */
  readonly name: string;
  readonly sizeBytes: number;
  readonly sectorSize: number;
  readonly readOnly: boolean;
  readonly removable: boolean;
  readonly serial: string;
  readonly model: string;
  /** Where something of it is mounted. */
  readonly mounted: readonly string[];
}

export interface RemoteMachine {
  readonly isRoot: boolean;
  /** `undefined`: none that Slipway knows. */
  readonly architecture: Architecture | undefined;
  readonly machine: string;
  readonly host: string;
  readonly system: string;
  readonly memoryBytes: number;
  readonly efi: boolean;
  readonly secureBoot: boolean;
  /** EFI signature lists that the firmware trusts. */
  readonly db: Buffer;
  readonly sysrq: boolean;
  readonly disks: readonly RemoteDisk[];
  readonly authorizedKeys: readonly string[];
}

const ARCHITECTURES: Readonly<Record<string, Architecture>> = { x86_64: 'amd64', aarch64: 'arm64' };
const MAX_LINE = 1 << 20;

/** Throws `install.unreachable`. */
export async function probeMachine(address: SshAddress, options: SshOptions): Promise<RemoteMachine> {
  const { stdout } = await onMachine(address, options, 'sh -s', {
    input: takeoverScript('probe.sh'),
    timeoutMs: 60_000,
  }).catch((cause: unknown) => {
    throw new SlipwayError(
      'install.unreachable',
      `${address.user} cannot log in to ${address.host}: ${lastLine(cause)}`,
      {
        cause,
        hint: `try it by hand: ssh -p ${address.port} ${address.user}@${address.host} true`,
      },
    );
  });
  return parseProbe(stdout.toString('utf8'));
}

/** Lines of `probe.sh`; what the machine says is not believed to be well-formed. */
export function parseProbe(text: string): RemoteMachine {
  const facts = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [, key, value] = /^([a-z-]+) (.*)$/.exec(line.slice(0, MAX_LINE)) ?? [];
    if (key !== undefined) facts.set(key, [...(facts.get(key) ?? []), value ?? '']);
  }
  const first = (key: string): string => facts.get(key)?.[0] ?? '';
  const mounted = new Map<string, string[]>();
  for (const line of facts.get('mounted') ?? []) {
    const [name = '', point = ''] = line.split(' ');
    mounted.set(name, [...(mounted.get(name) ?? []), point]);
  }
  const machine = first('architecture');
  return {
    isRoot: first('uid') === '0',
    architecture: ARCHITECTURES[machine],
    machine,
    host: first('host'),
    system: first('system'),
    memoryBytes: (Number(first('memory-kib')) || 0) * 1024,
    efi: first('efi') === 'yes',
    secureBoot: first('secure-boot') === '1',
    db: Buffer.from(first('db'), 'hex'),
    sysrq: first('sysrq') === 'yes',
    disks: (facts.get('disk') ?? []).flatMap((line) => parseDisk(line, mounted)),
    authorizedKeys: facts.get('authorized-key') ?? [],
  };
}

/** What ssh said last is why. */
function lastLine(cause: unknown): string {
  const text = cause instanceof Error ? cause.message : String(cause);
  return text.trim().split('\n').at(-1) ?? '';
}

function parseDisk(line: string, mounted: ReadonlyMap<string, readonly string[]>): RemoteDisk[] {
  const match = /^([A-Za-z0-9]+)\|(\d+)\|(\d+)\|([01])\|([01])\|([^|]*)\|(.*)$/.exec(line);
  if (match === null) return [];
  const [, name = '', size, sector, readOnly, removable, serial = '', model = ''] = match;
  return [
    {
      name,
      sizeBytes: Number(size),
      sectorSize: Number(sector),
      readOnly: readOnly === '1',
      removable: removable === '1',
      serial: serial.trim(),
      model: model.trim(),
      mounted: mounted.get(name) ?? [],
    },
  ];
}
