/** A signer that is a program: for keys in an HSM, a cloud, or another person's hands. */
import type { Signer } from '../authenticode/signer.ts';
import { run } from '../process/run.ts';
import type { CommandSigner } from './directory.ts';

/** The program gets the 32 bytes of a SHA-256 digest on stdin and writes the raw RSASSA-PKCS1-v1_5 signature to stdout. */
export function commandSigner({ command, environment, timeoutSeconds }: CommandSigner): Signer['sign'] {
  return async (digest) => {
    const { stdout } = await run(command, {
      input: digest,
      timeoutMs: timeoutSeconds * 1000,
      environment: Object.fromEntries(
        environment.flatMap((name) => {
          const value = process.env[name];
          return value === undefined ? [] : [[name, value] as const];
        }),
      ),
      hint: 'it is the signer that keys.json names',
    });
    return stdout;
  };
}
