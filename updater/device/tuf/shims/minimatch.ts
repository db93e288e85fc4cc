/** Our delegations name exact paths; a pattern is for nobody. */
export function minimatch(path: string, pattern: string): boolean {
  return path === pattern;
}
