/**
 * How the command line fails: exit status 1 when what was asked for could not be done, 2 for wrong usage or bad input; a message of one or more lines on
 * standard error, never a stack trace.
 */
import type { Command } from 'commander';

export const EXIT_FAILED = 1;
/** Wrong usage, or a file that cannot be read, written or understood. */
export const EXIT_USAGE = 2;

/** Ends a verb with a message for the user. */
export class Failure extends Error {
  readonly status: number;

  /** @param message what was wrong and what would be right; lines that begin with the place in a file are printed as they are. */
  constructor(message: string, status: number) {
    super(message);
    this.name = 'Failure';
    this.status = status;
  }
}

/** Wrong usage or bad input: exit status 2. */
export function usageFailure(message: string): Failure {
  return new Failure(message, EXIT_USAGE);
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Commander ends with status 1 on wrong usage, which here means that something failed: makes it 2, for a command and all its verbs. */
export function exitOnMisuse(command: Command): Command {
  for (const verb of command.commands) exitOnMisuse(verb);
  return command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : EXIT_USAGE));
}
