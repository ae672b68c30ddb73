/**
 * How virtual time begins: at once, paused, or by playing an earlier run again.
 */
import type { Input, JournalEntry, Place } from './history.ts';

export interface VirtualTimeOptions {
  /** Speed by the clock on the wall; default: as fast as it goes. */
  readonly speed?: number;
  /** Stands still at its beginning, or where the replay arrives. */
  readonly paused?: boolean;
  /** Inputs of an earlier run, in order. */
  readonly journal?: readonly JournalEntry[];
  /** Carries out an input. */
  readonly perform?: (input: Input) => void;
  /** Plays an earlier run again, as fast as it goes, up to a time, or a place; what comes in meanwhile waits. */
  readonly replay?: Replay;
}

export interface Replay {
  /** A place, or a time: before the first event that is not earlier. */
  readonly until: Place | { readonly time: number };
  /** Called there, between two events. */
  readonly onArrival: (place: Place) => void;
  /** Called when nothing is left that could happen, and it has not arrived. */
  readonly onDeadEnd?: (place: Place) => void;
}
