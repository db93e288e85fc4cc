/** The OCI runtime specification's own JSON Schema, as a check that a test can make. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Ajv } from 'ajv';
import type { OciConfig } from '../../../oci/runtime-spec.ts';

const SCHEMAS = fileURLToPath(new URL('../../../../shared/data/oci-runtime', import.meta.url));

/** What the schema says against a configuration, `null` if nothing; `undefined` where there is no schema here. */
export function ociSchema(): ((config: OciConfig) => string | null) | undefined {
  if (!existsSync(SCHEMAS)) {
    process.stdout.write(`skipped: no OCI runtime schema at ${SCHEMAS}\n`);
    return undefined;
  }
  const ajv = new Ajv({ strict: false });
  for (const name of ['config-linux.json', 'defs-linux.json', 'defs.json']) ajv.addSchema(read(name), name);
  for (const system of ['freebsd', 'solaris', 'vm', 'windows', 'zos']) {
    const name = `config-${system}.json`;
    if (!existsSync(`${SCHEMAS}/${name}`)) ajv.addSchema({ [system]: {} }, name);
  }
  const validate = ajv.compile(read('config-schema.json'));
  return (config) => {
    const valid = validate(JSON.parse(JSON.stringify(config)));
    return valid ? null : ajv.errorsText(validate.errors);
  };
}

/** They are draft-04 with nothing in them that draft-07 reads otherwise, but for the marks that say so. */
function read(name: string): object {
  const {
    $schema: _schema,
    id: _id,
    ...rest
  } = JSON.parse(readFileSync(`${SCHEMAS}/${name}`, 'utf8')) as Record<string, unknown>;
  return rest;
}
