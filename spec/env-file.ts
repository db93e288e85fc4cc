/** Compose's env_file format: `KEY=value` lines, comments, single and double quotes. */
export interface EnvFault {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

export interface EnvFile {
  readonly variables: ReadonlyMap<string, string>;
  readonly faults: readonly EnvFault[];
}

const KEY = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\', '"': '"', $: '$' };

/** Reads the text of an env_file; `raw` takes everything after the `=` as it is. */
export function parseEnvFile(text: string, format: 'compose' | 'raw' = 'compose'): EnvFile {
  const variables = new Map<string, string>();
  const faults: EnvFault[] = [];
  text
    .replace(/^\uFEFF/, '')
    .split(/\r?\n/)
    .forEach((written, index) => {
      const line = written.trim();
      if (line === '' || line.startsWith('#')) return;
      const equals = line.indexOf('=');
      const key = line
        .slice(0, equals < 0 ? undefined : equals)
        .trim()
        .replace(/^export\s+/, '');
      if (!KEY.test(key)) faults.push({ line: index + 1, message: `'${key}' is no name of a variable` });
      else if (equals < 0)
        faults.push({
          line: index + 1,
          message: `${key} has no value: variables of the workstation are not taken over`,
        });
      else {
        const value =
          format === 'raw' ? { text: line.slice(equals + 1) } : parseValue(line.slice(equals + 1).trim());
        if ('fault' in value) faults.push({ line: index + 1, message: value.fault });
        else variables.set(key, value.text);
      }
    });
  return { variables, faults };
}

function parseValue(text: string): { text: string } | { fault: string } {
  const single = /^'([^']*)'\s*(#.*)?$/.exec(text);
  if (single !== null) return { text: single[1] ?? '' };
  const double = /^"((?:[^"\\]|\\.)*)"\s*(#.*)?$/.exec(text);
  if (double === null && /^['"]/.test(text)) return { fault: 'a quote is left open' };
  const value = double === null ? text.replace(/(^|\s+)#.*$/, '') : (double[1] ?? '');
  const dollar = /(?<!\$)(?:\$\$)*(\$\{[^}]*\}?|\$[A-Za-z_]\w*)/.exec(value.replace(/\\\$/g, ''))?.[1];
  if (dollar !== undefined)
    return { fault: `the variable ${dollar} is not replaced: write $$ or single quotes` };
  const undollared = value.replaceAll('$$', '$');
  if (double === null) return { text: undollared };
  return { text: undollared.replace(/\\([nrt\\"$])/g, (_, letter: string) => ESCAPES[letter] ?? letter) };
}
