/**
 * `## template: jinja`, as far as it is plain: `{{ v1.name }}`, `{{ ds.meta_data.name }}`. A name that does not exist is a fault, where
 * cloud-init writes a placeholder; statements and filters are told off. Lines stay where they are.
 */
import { faultAt, type Position, type SourceFile } from '../../../spec/located.ts';
import { FAULT_LIMIT } from '../keys/reader.ts';
import { refuse, type Splitting } from './splitting.ts';

const PATH = /^[A-Za-z_][\w-]*(?:\.[A-Za-z0-9_-]+|\[(?:'[^']*'|"[^"]*"|\d+)\])*$/;

/** The text with all names replaced; `undefined` once a fault is reported. */
export function renderTemplate(splitting: Splitting, source: SourceFile): string | undefined {
  const before = splitting.diagnostics.length;
  const lines = source.lines.map((line, index) => {
    if (!line.includes('{')) return line;
    const at = (offset: number, length: number): Position => ({
      source,
      line: index + 1,
      column: offset + 1,
      length,
    });
    const fault = (place: Position, message: string, hint?: string): string => {
      if (splitting.diagnostics.length - before < FAULT_LIMIT)
        splitting.diagnostics.push(faultAt(place, 'document.template', message, hint));
      return '';
    };
    const statement = /\{[%#]/.exec(line);
    if (statement !== null) {
      const hint = 'plain {{ v1.name }} and {{ ds.meta_data.name }} are replaced, nothing more';
      fault(at(statement.index, 2), 'statements and comments of Jinja are not supported', hint);
      return line;
    }
    return replaced(line, (name, offset, length) => {
      const place = at(offset, length);
      if (name.length > 200 || !PATH.test(name)) {
        const shown = name.length > 40 ? `${name.slice(0, 37)}...` : name;
        return fault(place, `'${shown}' is more than a name`, 'filters and expressions are not supported');
      }
      const { variables } = splitting.context;
      // Nobody knows the machine here: its form is all that can be checked.
      if (variables === undefined) return 'example';
      const value = lookUp(variables, name);
      if (typeof value === 'number' || typeof value === 'boolean') return String(value);
      if (typeof value !== 'string') {
        const what =
          value === undefined || value === null ? 'is not known on this machine' : 'is more than one value';
        return fault(place, `'${name}' ${what}`, `known: ${known(variables).join(', ')}`);
      }
      return value.includes('\n') ? fault(place, `'${name}' has several lines`) : value;
    });
  });
  const faults = splitting.diagnostics.slice(before);
  const [first] = faults;
  if (first === undefined) return lines.join('\n');
  splitting.diagnostics.length = before;
  refuse(splitting, source, first.line, 'template', first.message, first.hint);
  splitting.diagnostics.splice(before, 1, ...faults);
  return undefined;
}

/** A line with all that stands between {{ and }} replaced; in one pass, however many are left open. */
function replaced(line: string, replace: (name: string, offset: number, length: number) => string): string {
  let text = '';
  let done = 0;
  for (let open = line.indexOf('{{'); open >= 0; open = line.indexOf('{{', done)) {
    const close = line.indexOf('}}', open);
    if (close < 0) break;
    const name = line
      .slice(open + 2, close)
      .replace(/^-|-$/g, '')
      .trim();
    text += line.slice(done, open) + replace(name, open, close + 2 - open);
    done = close + 2;
  }
  return text + line.slice(done);
}

/** `ds.meta_data.local_hostname` finds `local-hostname` too, as in cloud-init. */
function lookUp(variables: Readonly<Record<string, unknown>>, name: string): unknown {
  const steps = [...name.matchAll(/[A-Za-z0-9_-]+|'[^']*'|"[^"]*"/g)].map(([step]) =>
    step.replace(/^['"]|['"]$/g, ''),
  );
  let value: unknown = variables;
  for (const [index, step] of steps.entries()) {
    if (typeof value !== 'object' || value === null) return undefined;
    const found = member(value, step);
    // The names of v1 are heard without it, too.
    value = found === undefined && index === 0 ? member(member(variables, 'v1') ?? {}, step) : found;
  }
  return value;
}

function member(value: object, step: string): unknown {
  const name = Object.keys(value).find((key) => key === step || key.replaceAll('-', '_') === step);
  return name === undefined ? undefined : (value as Readonly<Record<string, unknown>>)[name];
}

function known(variables: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(variables)
    .flatMap(([name, value]) =>
      typeof value === 'object' && value !== null
        ? Object.keys(value).map((inner) => `${name}.${inner}`)
        : [name],
    )
    .slice(0, 20);
}
