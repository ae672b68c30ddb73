// What must hold of every trace: no source is serviced twice at once, no stack context is held twice.
import { expect } from 'vitest';
import { TRACE } from '../../stack/runtime/trace.ts';
import type { TraceEntry, TraceKind } from '../../stack/runtime/trace.ts';

/**
 * Entries of kind `begin` and `end` of the same thing (`id`) take turns, the end on the thread of the beginning. What the trace begins in the middle of may end without
 * a beginning. Returns how many there were.
 */
function expectTurns(
  entries: readonly TraceEntry[],
  begin: TraceKind,
  end: TraceKind,
  id: (entry: TraceEntry) => number,
): number {
  const by = new Map<number, number>();
  const seen = new Set<number>();
  let begun = 0;
  for (const entry of entries) {
    const key = id(entry);
    if (entry.kind === begin) {
      expect(by.get(key)).toBeUndefined();
      by.set(key, entry.thread);
      begun++;
    } else if (entry.kind === end) {
      if (seen.has(key)) expect(by.get(key)).toBe(entry.thread);
      by.delete(key);
    } else continue;
    seen.add(key);
  }
  return begun;
}

/** Checks a trace, and returns how many services and how many turns in a stack context it tells of. */
export function expectOneAtATime(entries: readonly TraceEntry[]): { services: number; contexts: number } {
  const services = expectTurns(entries, TRACE.serviceBegin, TRACE.serviceEnd, ({ source }) => source);
  const contexts = expectTurns(entries, TRACE.contextTaken, TRACE.contextLeft, ({ stack }) => stack);
  return { services, contexts };
}
