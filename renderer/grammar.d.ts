/** Grammars that the bundler turns into parsers (@lezer/generator). */
declare module '*.grammar' {
  import type { LRParser } from '@lezer/lr';

  export const parser: LRParser;
}
