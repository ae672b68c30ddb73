/**
 * Sources for the tests of the runtime: their handler writes down who was serviced, so that a test can read the order.
 */
import { HANDLER, KIND, newSource, setSourceHandler } from '../../../stack/runtime/source.ts';
import type { SourceHandler } from '../../../stack/runtime/source.ts';

/** The `arg` of each source serviced, in order. */
export const serviced: number[] = [];

/** Writes the service down and does what `more` says; finished unless that returns false. */
export function recordServices(more?: SourceHandler): void {
  serviced.length = 0;
  setSourceHandler(HANDLER.test, (arg, source) => {
    serviced.push(arg);
    return more === undefined ? true : more(arg, source);
  });
}

/** A source at home in thread `home`. */
export function testSource(arg: number, priority: number, home = 0): number {
  return newSource({ kind: KIND.other, handler: HANDLER.test, arg, stack: 0, home, priority });
}
