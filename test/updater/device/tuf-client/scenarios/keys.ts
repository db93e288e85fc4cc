/** Kinds of keys, thresholds, signatures (TUF 4.2, 5.3.4). */
import { expect } from 'vitest';
import { ALL, type Scenario } from './scenario.ts';
import { newSigner, signerSet, type KeyType, type Signer } from '../simulator.ts';

export const keys: Scenario[] = [
  ...(['ecdsa-p256', 'ecdsa-p384', 'ed25519', 'rsa'] as KeyType[]).map((type): Scenario => ({
    name: `keys of type ${type}`,
    run: async (test) => {
      for (const role of ['root', ...ALL]) {
        test.repository.bodies['root']!.roles[role]!.keyids = [];
        if (role !== 'root') test.repository.signers[role] = [];
        test.repository.addKey(role, newSigner(type));
      }
      test.repository.publish(['root', ...ALL]);
      await test.init();
      expect(await test.refresh()).toBe(0);
      expect(test.version('timestamp')).toBe(2);
      const signed = test.repository.published['timestamp']!.at(-1)!.toString();
      test.repository.published['timestamp']!.push(
        Buffer.from(signed.replace('"version": 2', '"version": 3')),
      );
      expect(await test.refresh()).toBe(1);
    },
  })),
  {
    name: 'snapshot threshold is not reached',
    run: async (test) => {
      await test.init();
      await test.refresh();
      for (const signer of signerSet('ed25519', 4)) test.repository.addKey('snapshot', signer);
      test.repository.bodies['root']!.roles['snapshot']!.threshold = 6;
      test.repository.publish(['root', 'snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect([test.version('root'), test.version('snapshot')]).toEqual([2, 1]);
    },
  },
  {
    name: 'root has keys but the snapshot lacks their signatures',
    run: async (test) => {
      await test.init();
      await test.refresh();
      const root = test.repository.bodies['root']!;
      for (const { keyid, key } of signerSet('ed25519', 2)) {
        root.keys[keyid] = { ...key };
        root.roles['snapshot']!.keyids.push(keyid);
      }
      root.roles['snapshot']!.threshold = 2;
      test.repository.publish(['root', 'snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect([test.version('root'), test.version('timestamp'), test.version('snapshot')]).toEqual([2, 2, 1]);
    },
  },
  {
    name: 'keyid_hash_algorithms mean nothing',
    run: async (test) => {
      await test.init();
      const root = test.repository.bodies['root']!;
      root.keys[root.roles['snapshot']!.keyids[0]!]!['keyid_hash_algorithms'] = ['md5'];
      test.repository.publish(['root', 'snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(0);
      expect(test.version('root')).toBe(2);
    },
  },
  {
    name: 'one key many times is one key',
    run: async (test) => {
      await test.init();
      await test.refresh();
      const root = test.repository.bodies['root']!;
      const [signer] = signerSet('ed25519', 1) as [Signer];
      test.repository.signers['snapshot'] = [signer];
      root.keys[signer.keyid] = { ...signer.key };
      root.roles['snapshot'] = { keyids: Array.from({ length: 9 }, () => signer.keyid), threshold: 6 };
      test.repository.publish(['root', 'snapshot', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect(test.version('snapshot')).toBe(1);
    },
  },
  {
    name: 'one signature many times is one signature',
    run: async (test) => {
      await test.init();
      await test.refresh();
      const [one, two] = signerSet('ed25519', 2) as [Signer, Signer];
      test.repository.addKey('timestamp', one);
      test.repository.addKey('timestamp', two);
      test.repository.bodies['root']!.roles['timestamp']!.threshold = 2;
      test.repository.signers['timestamp'] = [one, one];
      test.repository.publish(['root', 'timestamp']);
      expect(await test.refresh()).toBe(1);
      expect([test.version('root'), test.version('timestamp')]).toEqual([2, 1]);
    },
  },
];
