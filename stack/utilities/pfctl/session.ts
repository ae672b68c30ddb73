/** A run of pfctl: what the command line asks for, and what its parts share. */
import type { PfEnvironment } from '../../filter/pf/environment.ts';
import type { PfGeneration } from '../../filter/pf/ruleset.ts';
import type { Process } from '../../kernel/process.ts';
import { UsageError } from '../../kernel/process.ts';
import type { Arguments } from '../command.ts';
import type { PfDevice } from './device.ts';

export const FLUSH_WORDS = [
  'nat',
  'queue',
  'rules',
  'Sources',
  'states',
  'info',
  'Tables',
  'osfp',
  'all',
] as const;
export type FlushWord = (typeof FLUSH_WORDS)[number];

export const SHOW_WORDS = [
  'nat',
  'queue',
  'rules',
  'Anchors',
  'Sources',
  'states',
  'info',
  'Interfaces',
  'labels',
  'timeouts',
  'memory',
  'Tables',
  'osfp',
  'all',
] as const;
export type ShowWord = (typeof SHOW_WORDS)[number];

export const TABLE_WORDS = [
  'kill',
  'flush',
  'add',
  'delete',
  'load',
  'replace',
  'show',
  'test',
  'zero',
  'expire',
] as const;
export type TableWord = (typeof TABLE_WORDS)[number];

export const DEBUG_WORDS = ['none', 'urgent', 'misc', 'loud'] as const;
export type DebugWord = (typeof DEBUG_WORDS)[number];

/** The first word that begins so: words may be cut short. Throws UsageError. */
export function wordFor<T extends string>(text: string, words: readonly T[], what: string): T {
  const found = text === '' ? undefined : words.find((word) => word.startsWith(text));
  if (found === undefined) throw new UsageError(`Unknown ${what} '${text}': there are ${words.join(', ')}`);
  return found;
}

/** What `-f` loads. */
export interface LoadParts {
  readonly filter: boolean;
  readonly nat: boolean;
  readonly options: boolean;
  readonly altq: boolean;
  readonly tables: boolean;
}

export interface Session {
  readonly self: Process;
  readonly args: Arguments;
  readonly generation: PfGeneration;
  /** 0, 1 for -v, 2 for -vv. */
  readonly verbose: number;
  readonly quiet: boolean;
  /** -n: read, and change nothing. */
  readonly dry: boolean;
  /** -a; '' for the main rule set. */
  readonly anchor: string;
  /** -a ended with a star: anchors below it, too. */
  readonly recurse: boolean;
  readonly parts: LoadParts;
  readonly machine: PfEnvironment;
  /** Absent with -n where there is none. */
  readonly device: PfDevice | undefined;
}

/** A session that has a device. */
export type OpenSession = Session & { readonly device: PfDevice };

/** Tells what was done, on standard error, unless -q. */
export async function tell(session: Session, text: string): Promise<void> {
  if (!session.quiet) await session.self.stderr.write(`${text}\n`);
}

/** Prints lines. */
export async function print(session: Session, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await session.self.stdout.write(`${lines.join('\n')}\n`);
}
