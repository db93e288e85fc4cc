/**
 * Secure Boot keys straight into a copy of OVMF's variable store: no enrolment boot, so that the first boot of a machine is already
 * a refused or a verified one. Source: EDK II, MdeModulePkg/Include/Guid/VariableFormat.h and AuthenticatedVariableFormat.
 */
import { SlipwayError } from '../spec/error.ts';

/** EFI signature lists, as they stand in the variables. */
export interface SecureBootVariables {
  readonly PK: Uint8Array;
  readonly KEK: Uint8Array;
  readonly db: Uint8Array;
  readonly dbx?: Uint8Array;
}

/** One variable beyond the keys: a foreign LoaderEntryOneShot in a test, for instance. */
export interface FirmwareVariable {
  readonly name: string;
  readonly vendor: string;
  readonly attributes: number;
  readonly data: Uint8Array;
}

const EFI_GLOBAL_VARIABLE = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const EFI_IMAGE_SECURITY_DATABASE = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
const AUTHENTICATED_VARIABLE_STORE = 'aaf32c78-947b-439a-a180-2e144ec37792';

const NON_VOLATILE = 0x01;
const BOOT_SERVICE = 0x02;
const RUNTIME = 0x04;
const TIME_BASED_AUTHENTICATED = 0x20;

const STORE_HEADER_BYTES = 28;
const VARIABLE_HEADER_BYTES = 60;
const VARIABLE_START_ID = 0x55aa;
const VARIABLE_ADDED = 0x3f;
const ERASED = 0xff;

/**
 * A copy of `template` (OVMF_VARS_4M.fd, empty) that holds the keys. With PK present the firmware starts in user mode, and turns Secure
 * Boot on by itself (AuthVariableLib: SecureBootEnable is made when it is missing in user mode).
 */
export function writeVariableStore(
  template: Uint8Array,
  keys: SecureBootVariables | undefined,
  others: readonly FirmwareVariable[] = [],
): Uint8Array {
  const store = Buffer.from(template);
  const { offset: free, end } = findFreeSpace(store);
  let offset = free;
  for (const variable of [...(keys === undefined ? [] : keyVariables(keys)), ...others]) {
    const record = encodeVariable(variable);
    if (offset + record.length > end) {
      throw new SlipwayError(
        'lab.variables-full',
        `${variable.name} does not fit the firmware's variable store`,
      );
    }
    record.copy(store, offset);
    offset += record.length;
  }
  return store;
}

function keyVariables(keys: SecureBootVariables): FirmwareVariable[] {
  const attributes = NON_VOLATILE | BOOT_SERVICE | RUNTIME | TIME_BASED_AUTHENTICATED;
  const variables: FirmwareVariable[] = [
    { name: 'db', vendor: EFI_IMAGE_SECURITY_DATABASE, attributes, data: keys.db },
    { name: 'KEK', vendor: EFI_GLOBAL_VARIABLE, attributes, data: keys.KEK },
    { name: 'PK', vendor: EFI_GLOBAL_VARIABLE, attributes, data: keys.PK },
  ];
  if (keys.dbx !== undefined) {
    variables.push({ name: 'dbx', vendor: EFI_IMAGE_SECURITY_DATABASE, attributes, data: keys.dbx });
  }
  return variables;
}

/** Where the first record goes, and where the store ends. Anything but an empty authenticated store is refused. */
function findFreeSpace(store: Buffer): { offset: number; end: number } {
  const refuse = (why: string): never => {
    throw new SlipwayError('lab.variables-template', `the firmware's variable template ${why}`);
  };
  // EFI_FIRMWARE_VOLUME_HEADER: signature at 40, header length at 48.
  if (store.length < 128 || store.toString('latin1', 40, 44) !== '_FVH') refuse('is no firmware volume');
  const start = store.readUInt16LE(48);
  if (!store.subarray(start, start + 16).equals(encodeGuid(AUTHENTICATED_VARIABLE_STORE))) {
    refuse('holds no authenticated variable store');
  }
  const offset = start + STORE_HEADER_BYTES;
  if (store.readUInt16LE(offset) === VARIABLE_START_ID) refuse('is not empty');
  return { offset, end: start + store.readUInt32LE(start + 16) };
}

function encodeVariable(variable: FirmwareVariable): Buffer {
  const name = Buffer.from(`${variable.name}\0`, 'utf16le');
  const length = VARIABLE_HEADER_BYTES + name.length + variable.data.length;
  const record = Buffer.alloc((length + 3) & ~3, ERASED);
  record.fill(0, 0, VARIABLE_HEADER_BYTES);
  record.writeUInt16LE(VARIABLE_START_ID, 0);
  record.writeUInt8(VARIABLE_ADDED, 2);
  record.writeUInt32LE(variable.attributes, 4);
  // 8: monotonic count. 16: EFI_TIME; an update signed later than this is accepted, so any fixed past day will do.
  if ((variable.attributes & TIME_BASED_AUTHENTICATED) !== 0) {
    record.writeUInt16LE(2020, 16);
    record.writeUInt8(1, 18);
    record.writeUInt8(1, 19);
  }
  record.writeUInt32LE(name.length, 36);
  record.writeUInt32LE(variable.data.length, 40);
  encodeGuid(variable.vendor).copy(record, 44);
  name.copy(record, VARIABLE_HEADER_BYTES);
  Buffer.from(variable.data).copy(record, VARIABLE_HEADER_BYTES + name.length);
  return record;
}

/** EFI_GUID: the first three fields are little-endian. */
function encodeGuid(guid: string): Buffer {
  const bytes = Buffer.from(guid.replaceAll('-', ''), 'hex');
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}
