/** The part of QuickJS's `std` module that is used. */
declare module 'std' {
  export function exit(code: number): never;
  export function getenv(name: string): string | undefined;
  export function strerror(errno: number): string;
}
