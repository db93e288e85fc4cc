/** What a table holds under a key that somebody else wrote: `constructor` and `__proto__` are keys like any others. */
export function own<Value>(table: Readonly<Record<string, Value>>, key: string): Value | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
