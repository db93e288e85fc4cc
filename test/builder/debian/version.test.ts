import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { compareDebianVersions } from '../../../builder/debian/version.ts';

const VERSIONS = [
  '1.0',
  '1.0-1',
  '1.0-1~bpo1',
  '1.0~rc1-1',
  '1.0-1+b1',
  '1.0-1+deb13u1',
  '1.0-10',
  '1.0-9',
  '1:0.1',
  '2:1.0-1',
  '1.0.0',
  '1.00',
  '1.0a',
  '1.0+',
  '1.0~~',
  '1.0~~a',
  '1.0~',
  '1.3.dfsg+really1.3.1-1+b1',
  '10.0p1-7+deb13u4',
  '10.0p1-7',
  '99999999999999999999',
  '99999999999999999998',
  '0',
  '0-0',
];

test('versions compare as dpkg compares them', () => {
  for (const left of VERSIONS) {
    for (const right of VERSIONS) {
      if (left > right) continue;
      const relation = Math.sign(compareDebianVersions(left, right));
      const operator = relation < 0 ? 'lt' : relation > 0 ? 'gt' : 'eq';
      const { status } = spawnSync('dpkg', ['--compare-versions', left, operator, right]);
      expect(status, `${left} ${operator} ${right}`).toBe(0);
      expect(Math.sign(compareDebianVersions(right, left)) + relation).toBe(0);
    }
  }
});
