/**
 * tuf-js's TrustedMetadataStore, which decides what is believed, with three things that it lacks: the time by which it judges is given, a document
 * whose very bytes were verified before need not be verified again, and a digest that a native program made is taken.
 */
import { Metadata, MetadataKind, type Root, type Targets } from '@tufjs/models';
import { TrustedMetadataStore } from 'tuf-js/dist/store.js';

/** A document's bytes, and what is known of them. */
export interface Document {
  readonly bytes: Uint8Array;
  /** SHA-256, where a program has it already: QuickJS makes 0.7 MB a second. */
  readonly sha256?: string;
  /** These bytes were verified before, by the same keys: its signatures are not looked at again; all else is. */
  readonly remembered?: boolean;
}

export interface TrustedDocuments {
  readonly store: TrustedMetadataStore;
  /** Expiry is judged by it from now on. */
  readonly judgeAt: (nowMs: number) => void;
  readonly root: (document: Document) => void;
  readonly timestamp: (document: Document) => void;
  /** Throws when its time is over. */
  readonly checkTimestamp: () => void;
  /** `baseline`: a stored one, which new ones are held against; the timestamp's digest of it is not asked for. */
  readonly snapshot: (document: Document, baseline: boolean) => void;
  readonly targets: (document: Document, role: string, delegator: string) => void;
  /** Targets on their signatures alone, when timestamp and snapshot do not tell of them; these are forgotten. */
  readonly targetsAlone: (document: Document, role: string, delegator: string) => void;
}

/** The parts of a TrustedMetadataStore that it declares private. */
interface StoreFields {
  trustedSet: Record<string, Metadata<Root | Targets> | undefined>;
  referenceTime: Date;
  checkFinalTimestamp(): void;
}

/** Starts from a root that is trusted as it is, if it is signed by itself. Throws tuf-js's errors. */
export function trustRoot(document: Document): TrustedDocuments {
  const store =
    document.remembered === true ? withRoot(document.bytes) : new TrustedMetadataStore(buffer(document));
  const fields = store as unknown as StoreFields;
  return {
    store,
    judgeAt: (nowMs) => void (fields.referenceTime = new Date(nowMs)),
    root: (next) => void store.updateRoot(buffer(next)),
    timestamp: (next) => {
      believing(store.root, next, () => store.updateTimestamp(buffer(next)));
    },
    checkTimestamp: () => fields.checkFinalTimestamp(),
    snapshot: (next, baseline) => {
      believing(store.root, next, () => store.updateSnapshot(buffer(next), baseline));
    },
    targets: (next, role, delegator) => {
      const signer = delegator === 'root' ? store.root : store.getRole(delegator);
      const meta = store.snapshot?.signed.meta[`${role}.json`];
      const update = (): void => store.updateDelegatedTargets(buffer(next), role, delegator);
      const known = meta !== undefined && digestFits(meta, next);
      withMethod(meta, 'verify', known ? () => undefined : undefined, () => {
        believing(signer, next, update);
      });
    },
    targetsAlone: (next, role, delegator) => {
      const signer = delegator === 'root' ? store.root : store.getRole(delegator);
      const targets = Metadata.fromJSON(MetadataKind.Targets, JSON.parse(buffer(next).toString()) as never);
      if (next.remembered !== true) signer?.verifyDelegate(role, targets);
      fields.trustedSet = {
        ...fields.trustedSet,
        timestamp: undefined,
        snapshot: undefined,
        ...(signer === undefined ? {} : { [role]: targets }),
      };
    },
  };
}

/** Whether a document is the one that another names; `undefined` when it names no digest. */
export function isNamed(
  meta: { readonly length?: number | undefined; readonly hashes?: Record<string, string> | undefined },
  document: Document,
): boolean | undefined {
  const named = meta.hashes?.['sha256'];
  if (named === undefined || document.sha256 === undefined) return undefined;
  return named === document.sha256 && (meta.length === undefined || meta.length === document.bytes.length);
}

function digestFits(
  meta: { readonly length?: number | undefined; readonly hashes?: Record<string, string> | undefined },
  document: Document,
): boolean {
  return Object.keys(meta.hashes ?? {}).length === 1 && isNamed(meta, document) === true;
}

function withRoot(bytes: Uint8Array): TrustedMetadataStore {
  const root = Metadata.fromJSON(MetadataKind.Root, JSON.parse(Buffer.from(bytes).toString('utf8')) as never);
  const fields: Omit<StoreFields, 'checkFinalTimestamp'> = {
    trustedSet: { root },
    referenceTime: new Date(0),
  };
  return Object.assign(Object.create(TrustedMetadataStore.prototype) as TrustedMetadataStore, fields);
}

/** While `action` runs, a remembered document's signatures count as verified. */
function believing(
  delegator: Metadata<never> | Metadata<Root> | { verifyDelegate: unknown } | undefined,
  document: Document,
  action: () => void,
): void {
  withMethod(delegator, 'verifyDelegate', document.remembered === true ? () => undefined : undefined, action);
}

/** Lends an object another method for a moment: the prototype's own comes back. */
function withMethod(
  object: object | undefined,
  name: string,
  method: (() => void) | undefined,
  action: () => void,
): void {
  if (object === undefined || method === undefined) return void action();
  Object.defineProperty(object, name, { value: method, configurable: true, enumerable: false });
  try {
    action();
  } finally {
    Reflect.deleteProperty(object, name);
  }
}

function buffer({ bytes }: Document): Buffer {
  return Buffer.from(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.length);
}
