/**
 * The state of one shell: variables, last status, jobs, what runs in the foreground.
 */
import type { Process } from '../../kernel/process.ts';
import type { Expansion } from './expand.ts';
import { createJobTable } from './jobs.ts';
import type { JobTable } from './jobs.ts';

/** What runs in the foreground: ended by Ctrl-C. */
export interface Foreground {
  readonly processes: readonly Process[];
  readonly interrupt: AbortController;
}

export interface Shell extends Expansion {
  readonly self: Process;
  readonly interactive: boolean;
  /** Variables that are not exported; the exported ones are the environment of `self`. */
  readonly variables: Map<string, string>;
  readonly jobs: JobTable;
  /** `$?` */
  status: number;
  /** `$!` */
  lastBackground: number | undefined;
  foreground: Foreground | undefined;
  /** The rest of the line is not to be run. */
  interrupted: boolean;
  /** Set by `exit`: the shell's own exit status. */
  leaving: number | undefined;
  set(name: string, value: string): void;
}

export function createShell(self: Process, interactive: boolean): Shell {
  const variables = new Map<string, string>();
  const shell: Shell = {
    self,
    interactive,
    variables,
    jobs: createJobTable(),
    status: 0,
    lastBackground: undefined,
    foreground: undefined,
    interrupted: false,
    leaving: undefined,
    lookup(name) {
      if (name === '?') return String(shell.status);
      if (name === '$') return String(self.pid);
      if (name === '!') return shell.lastBackground === undefined ? undefined : String(shell.lastBackground);
      if (name === '0') return 'sh';
      if (name === 'PWD') return self.cwd;
      return self.env.get(name) ?? variables.get(name);
    },
    set(name, value) {
      if (self.env.has(name)) self.env.set(name, value);
      else variables.set(name, value);
    },
  };
  return shell;
}
