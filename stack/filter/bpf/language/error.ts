/** What is wrong with a filter expression, and where. */

export interface FilterError {
  readonly message: string;
  /** Position in the expression of what is wrong, counted from 1; one behind its end if something is missing there. */
  readonly column: number;
  /** What would have been right there, if that can be said. */
  readonly expected?: string;
}

/** Ends the compilation of an expression; caught at its entry, never seen outside. */
export class FilterFault extends Error {
  readonly fault: FilterError;

  constructor(message: string, column: number, expected?: string) {
    super(message);
    this.fault = { message, column, ...(expected === undefined ? {} : { expected }) };
  }
}

/** Two lines that show an expression and, under it, where an error lies. */
export function pointAt(expression: string, column: number): string {
  // Line ends and tabs would tear the caret away from its place.
  const shown = expression.replace(/\s/g, ' ');
  return `${shown}\n${' '.repeat(column - 1)}^`;
}
