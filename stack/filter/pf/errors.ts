/**
 * What is wrong with a pf.conf, as values. Inside the parser a statement that cannot be understood is left by throwing; what readers of a file get is the list.
 */
import type { Place } from './lexer.ts';

/** Something wrong at one place of the file; both from 1. */
export interface PfError extends Place {
  readonly message: string;
  /** What could stand there, where it is a matter of syntax. */
  readonly expected?: string;
  /** File, where it is not the one that is read: that of `load anchor`. */
  readonly file?: string;
}

/** Thrown to leave the statement being read. */
export class StatementError extends Error {
  readonly error: PfError;

  constructor(error: PfError) {
    super(error.message);
    this.name = 'StatementError';
    this.error = error;
  }
}

/** Leaves the statement. */
export function refuse(place: Place, message: string): never {
  throw new StatementError({ line: place.line, column: place.column, message });
}

/** Errors that are kept at most: what follows the first ones is often their fault. */
const ERRORS_MAX = 100;

/** Collects errors; the same one at the same line is kept once. */
export class ErrorList {
  readonly #errors: PfError[] = [];
  readonly #seen = new Set<string>();

  get all(): readonly PfError[] {
    return this.#errors;
  }

  get full(): boolean {
    return this.#errors.length >= ERRORS_MAX;
  }

  add(error: PfError): void {
    const key = `${error.line} ${error.message}`;
    if (this.full || this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#errors.push(error);
    if (this.full)
      this.#errors.push({ ...error, message: 'too many errors; the rest of the file was not read' });
  }

  report(place: Place, message: string): void {
    this.add({ line: place.line, column: place.column, message });
  }
}
