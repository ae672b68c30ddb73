/**
 * Who wants to know what becomes of every packet: what-if, which runs PF over a capture in this very thread. Nobody else pays for it.
 */
import { outcome } from './outcome.ts';
import type { Outcome } from './outcome.ts';
import { pd } from './packet.ts';
import type { Packet } from './packet.ts';

export type VerdictObserver = (packet: Readonly<Packet>, outcome: Readonly<Outcome>) => void;
let observer: VerdictObserver | undefined;

/** Has `visit` told of every packet that PF judges in this thread, until it is undefined. What it is given is valid during the call only. */
export function observeVerdicts(visit: VerdictObserver | undefined): void {
  observer = visit;
}

/** The packet at hand is judged. */
export function tellVerdict(): void {
  observer?.(pd, outcome);
}
