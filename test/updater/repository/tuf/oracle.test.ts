/** An independent judge of what we sign: Debian's python3-securesystemslib, the library under the reference implementation of TUF. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { DAY_MS, EPOCH_MS, makeRepository, makeRole } from '../../tuf-repository.ts';

const scratch = scratchDirectory();

/** For each document: the key ids of good signatures, over the library's own canonical form; and whether each key's id is that of its key. */
const JUDGE = `
import hashlib, json, sys
from securesystemslib import formats, keys
answer = {}
for path in sys.argv[1:]:
    document = json.load(open(path))
    canonical = formats.encode_canonical(document["signed"]).encode()
    holder = json.load(open(path.rsplit("/", 1)[0] + "/keys.json"))
    good = []
    for signature in document["signatures"]:
        key = dict(holder[signature["keyid"]], keyid=signature["keyid"])
        if keys.verify_signature(key, signature, canonical):
            good.append(signature["keyid"])
    answer[path.rsplit("/", 1)[1]] = good
ids = {keyid: hashlib.sha256(formats.encode_canonical(key).encode()).hexdigest() for keyid, key in holder.items()}
print(json.dumps({"good": answer, "ids": ids}))
`;

test('every signature is good over the canonical form of another implementation, and every key has the id that it computes', async () => {
  const repository = await makeRepository({ channels: ['stable', 'beta'] });
  repository.targets = {
    'release_x_1.0_amd64.json': {
      sizeBytes: 7,
      sha256: 'a'.repeat(64),
      custom: { notes: 'Grüße, "quoted" \\ back\u0001\n\u{1F600}', list: [true, null, -1, 0], empty: {} },
    },
  };
  await repository.rotateRoot({ root: await makeRole(3, 2) });
  repository.nowMs = EPOCH_MS + DAY_MS;
  await repository.publish();
  const keys: Record<string, unknown> = {};
  for (const bytes of repository.files.values()) {
    const { signed } = JSON.parse(Buffer.from(bytes).toString()) as {
      signed: { keys?: object; delegations?: { keys: object } };
    };
    Object.assign(keys, signed.keys, signed.delegations?.keys);
  }
  writeFileSync(join(scratch, 'keys.json'), JSON.stringify(keys));
  const names = [...repository.files.keys()];
  for (const name of names) writeFileSync(join(scratch, name), repository.files.get(name) ?? '');
  const paths = names.map((name) => join(scratch, name));
  const output = execFileSync('/usr/bin/python3', ['-c', JUDGE, ...paths], { encoding: 'utf8' });
  const { good, ids } = JSON.parse(output) as { good: Record<string, string[]>; ids: Record<string, string> };
  for (const name of names) {
    const { signatures } = JSON.parse(Buffer.from(repository.files.get(name) ?? []).toString()) as {
      signatures: { keyid: string }[];
    };
    expect(good[name], name).toEqual(signatures.map(({ keyid }) => keyid));
    expect(good[name]?.length).toBeGreaterThan(0);
  }
  expect(good['2.root.json']).toHaveLength(6);
  expect(Object.entries(ids).filter(([keyId, computed]) => keyId !== computed)).toEqual([]);
});
