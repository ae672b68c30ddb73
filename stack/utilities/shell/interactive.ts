/**
 * The interactive shell: prompt, line editor, history, job notices, on a raw terminal.
 */
import { spawn } from '../../kernel/process.ts';
import type { LabNode, Process } from '../../kernel/process.ts';
import { completeLine } from './completion.ts';
import { interruptForeground, reportJobs } from './execute.ts';
import { editLine } from './line-editor.ts';
import { ShellSyntaxError } from './lexer.ts';
import { parseCommandLine } from './parser.ts';
import { runText } from './shell.ts';
import { createShell } from './state.ts';
import type { Shell } from './state.ts';
import { openConsole } from './terminal.ts';
import type { Console, Terminal } from './terminal.ts';

const HISTORY_LINES = 1000;
const INTERRUPTED = 130;

/**
 * Starts a shell on a terminal. Its `exited` is the status given to `exit`; `kill('SIGHUP')` hangs up: the shell and what it runs in the
 * foreground end, background jobs go on.
 */
export function interactiveShell(node: LabNode, terminal: Terminal): Process {
  const console = openConsole(terminal);
  return spawn(node, (self) => interact(self, console), {
    argv: ['sh'],
    stdin: console.source,
    stdout: console.sink,
    stderr: console.sink,
  });
}

async function interact(self: Process, console: Console): Promise<number> {
  const shell = createShell(self, true);
  while (shell.leaving === undefined) {
    await reportJobs(shell);
    const line = await readCommand(shell, console);
    if (line === undefined) break;
    if (line === '') continue;
    remember(self.node.history, line);
    console.setForeground(() => interruptForeground(shell));
    try {
      await runText(shell, line);
    } finally {
      console.setForeground(undefined);
    }
  }
  return shell.leaving ?? shell.status;
}

/** One command, of as many lines as it takes; '' when it was given up, undefined at the end of input. */
async function readCommand(shell: Shell, console: Console): Promise<string | undefined> {
  const { self } = shell;
  const options = {
    console,
    history: self.node.history,
    complete: (before: string) => completeLine(shell, before),
    signal: self.signal,
  };
  let text = '';
  for (;;) {
    const result = await editLine(options, text === '' ? `${self.node.name}:${self.cwd}# ` : '> ');
    if (result.kind === 'interrupt') {
      shell.status = INTERRUPTED;
      return '';
    }
    if (result.kind === 'end') return text === '' ? undefined : '';
    text += result.text;
    if (!isIncomplete(text)) return text.trim();
    text += '\n';
  }
}

function isIncomplete(text: string): boolean {
  try {
    parseCommandLine(text);
    return false;
  } catch (error) {
    if (error instanceof ShellSyntaxError) return error.incomplete;
    throw error;
  }
}

function remember(history: string[], line: string): void {
  if (history.at(-1) !== line) history.push(line);
  if (history.length > HISTORY_LINES) history.splice(0, history.length - HISTORY_LINES);
}
