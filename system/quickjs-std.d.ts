/** The part of QuickJS's `std` module that is used. */
declare module 'std' {
  export function exit(code: number): never;
  export function getenv(name: string): string | undefined;
  export function strerror(errno: number): string;
  export interface File {
    seek(offset: number, whence: number): number;
    tell(): number;
    read(buffer: ArrayBufferLike, position: number, length: number): number;
    write(buffer: ArrayBufferLike, position: number, length: number): number;
    puts(text: string): void;
    close(): number;
  }
  export function open(path: string, flags: string): File | null;
  export const err: File;
  export const out: File;
  export const SEEK_SET: number;
  export const SEEK_END: number;
}

/** The script's path, then its arguments. */
declare const scriptArgs: readonly string[];
