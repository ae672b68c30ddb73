/**
 * Marks of a run in virtual time: digests of the memory after so many events. The first playing sets them, later ones are held to them. There are never more than a ring of them:
 * when it is full every second one goes, and they come at twice the distance.
 */
import { digestMemory } from './memory-state.ts';
import type { VirtualTime } from './virtual-time.ts';

const MOST_MARKS = 64;
/** Events between two marks at first: a digest takes some ms, so many events several times that. */
const FIRST_DISTANCE = 16_384;

export class Marks {
  #distance = FIRST_DISTANCE;
  /** Digests by the number of events. */
  readonly #digests = new Map<number, string>();

  /** Sets or checks the marks of a playing from its beginning. @param onDifference is told that it has gone another way. */
  follow(virtual: VirtualTime, onDifference: (text: string) => void): void {
    const next = (events: number): void =>
      virtual.atPlace({ events, time: 0 }, () => {
        const difference = this.#pass(events);
        if (difference === undefined) next(events - (events % this.#distance) + this.#distance);
        else onDifference(difference);
      });
    next(this.#distance);
  }

  /** Forgets what the run has not come to. */
  forgetAfter(events: number): void {
    for (const at of this.#digests.keys()) if (at > events) this.#digests.delete(at);
  }

  #pass(events: number): string | undefined {
    const digest = digestMemory();
    const known = this.#digests.get(events);
    if (known === undefined) this.#set(events, digest);
    return known === undefined || known === digest
      ? undefined
      : `the run played again is not the same after ${events} events as it was before: something in it depends on what is outside the lab`;
  }

  #set(events: number, digest: string): void {
    this.#digests.set(events, digest);
    if (this.#digests.size <= MOST_MARKS) return;
    this.#distance *= 2;
    for (const at of this.#digests.keys()) if (at % this.#distance !== 0) this.#digests.delete(at);
  }
}
