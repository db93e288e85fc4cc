/**
 * A file mode, as people write one in YAML:
 *
 * | written | is | because |
 * |---|---|---|
 * | `'0644'`, `"644"`, `'0o644'` | 0644 | a text is octal, as in cloud-init |
 * | `0644` | 0644 | octal in YAML 1.1, and nobody means decimal with a zero in front |
 * | `0o644` | 0644 | octal in YAML 1.2 |
 * | `420` | 0644, with a warning | decimal, and only read so where octal makes no sensible mode |
 * | `644`, `400` | refused | decimal 644 is 01204: RancherOS and others have shipped such files |
 */
import type { At } from '../config.ts';
import { fault, mismatch, warn, type Reader } from './reader.ts';
import { at, type Shape } from './shape.ts';
import type { LocatedScalar } from '../../../spec/located.ts';

export const fileMode: Shape<At<number>> = {
  type: "file mode in quotes (`'0644'`)",
  read: (node, reader) => {
    if (node.kind !== 'scalar' || node.value === null || typeof node.value === 'boolean')
      return mismatch(reader, node, "a file mode such as '0644'");
    const octal = /^0?o?([0-7]{3,4})$/.exec(node.text)?.[1];
    const isOctal = typeof node.value === 'string' || node.octal || node.text.startsWith('0');
    if (octal !== undefined && isOctal) return at(node, parseInt(octal, 8));
    if (!/^[1-9]\d{0,3}$/.test(node.text) || isOctal) {
      return fault(
        reader,
        node.at,
        'mode',
        `'${node.text}' is no file mode`,
        "write octal digits in quotes: '0644'",
      );
    }
    return decimalMode(node, reader, octal === undefined ? undefined : parseInt(octal, 8));
  },
};

function decimalMode(
  node: LocatedScalar,
  reader: Reader,
  asOctal: number | undefined,
): At<number> | undefined {
  const decimal = Number(node.text);
  const digits = decimal.toString(8).padStart(4, '0');
  if (!isSensible(decimal) || (asOctal !== undefined && isSensible(asOctal))) {
    const meant = asOctal === undefined ? digits : node.text.padStart(4, '0');
    const message = `the bare number ${node.text} is decimal, which is the mode ${digits}: nobody can tell whether that was meant`;
    return fault(reader, node.at, 'mode', message, `write it in quotes: '${meant}'`);
  }
  const message = `the bare number ${node.text} is decimal, and read as the mode ${digits}`;
  warn(reader, node.at, 'mode', message, `write it in quotes: '${digits}'`);
  return at(node, decimal);
}

/** Its owner can read it, and nobody may do more than the one before. */
function isSensible(mode: number): boolean {
  const [owner, group, others] = [(mode >> 6) & 7, (mode >> 3) & 7, mode & 7];
  return mode <= 0o777 && (owner & 4) !== 0 && (group & ~owner) === 0 && (others & ~group) === 0;
}
