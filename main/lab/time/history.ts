/**
 * What a run of a lab in virtual time follows from, besides its lab file and its seed: the commands it was begun with, and what came in from outside while it ran.
 * Programs cannot be saved, but they do the same again: whoever plays the history again gets the same run, to the byte and the nanosecond.
 */

/**
 * A place in a run: after so many events, before the next one; and the lab's time there, ns, which may be later than the last event's.
 * An event is one service of a source, or whatever else makes something happen: programs whose time has come, an input, an answer from outside.
 */
export interface Place {
  readonly events: number;
  readonly time: number;
}

/** A command line that is run on a node when the one before it has ended. */
export interface PlannedCommand {
  readonly node: string;
  readonly command: string;
  /** Not before this place: where the run that it was added to had been saved. */
  readonly from?: Place;
}

/** What a run was begun with. */
export interface Plan {
  readonly commands: readonly PlannedCommand[];
  /** The run goes on until this lab time, ns. */
  readonly for?: number;
}

/** Something that came in from outside while the lab ran: a command line for a node. */
export interface Input {
  readonly kind: 'exec';
  readonly node: string;
  readonly command: string;
}

/** An input and where it came in: it is the event after that place. */
export interface JournalEntry {
  readonly at: Place;
  readonly input: Input;
}

export interface History {
  /** Name of the lab's file, for messages, and its text. */
  readonly lab: { readonly file: string; readonly text: string };
  readonly seed: number;
  /** Names of the files and folders with modules from outside that nodes could load. */
  readonly modules: readonly string[];
  readonly plan: Plan;
  readonly journal: readonly JournalEntry[];
}
