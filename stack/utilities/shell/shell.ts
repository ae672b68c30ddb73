/**
 * The shell as a program: `sh`, `sh -c LINE`, `sh FILE`, and the entry through which command lines of a lab file and of the `stackscope` command run.
 */
import { readAll } from '../../kernel/byte-stream.ts';
import type { ByteSink, ByteSource } from '../../kernel/byte-stream.ts';
import { readTextFile } from '../../kernel/files.ts';
import { UsageError, spawn } from '../../kernel/process.ts';
import type { LabNode, Process } from '../../kernel/process.ts';
import { runLists } from './execute.ts';
import { ShellSyntaxError } from './lexer.ts';
import { parseCommandLine } from './parser.ts';
import type { AndOr } from './parser.ts';
import { createShell } from './state.ts';
import type { Shell } from './state.ts';

const SYNTAX_ERROR = 2;

/** Parses and runs text of any number of lines. Returns the last status; 2 when the text cannot be understood. */
export async function runText(shell: Shell, text: string): Promise<number> {
  let lists: AndOr[];
  try {
    lists = parseCommandLine(text);
  } catch (error) {
    if (!(error instanceof ShellSyntaxError)) throw error;
    await shell.self.stderr.write(`sh: ${error.message}\n`);
    return (shell.status = SYNTAX_ERROR);
  }
  return runLists(shell, lists);
}

/** The program `sh`: runs a line, a file of the node, or its standard input. */
export async function sh(self: Process): Promise<number> {
  const [option, line] = self.argv.slice(1);
  const shell = createShell(self, false);
  if (option === '-c') {
    if (line === undefined) throw new UsageError('-c: a command line is expected');
    return runText(shell, line);
  }
  if (option?.startsWith('-') === true)
    throw new UsageError(`${option}: unknown option; usage: sh [-c line | file]`);
  if (option !== undefined) return runText(shell, await readTextFile(self, option));
  return runText(shell, new TextDecoder().decode(await readAll(self.stdin, self.signal)));
}

export interface CommandLineOptions {
  readonly stdin?: ByteSource;
  readonly stdout?: ByteSink;
  readonly stderr?: ByteSink;
  /** Environment of the line; what it exports or unsets is changed here. Default: the node's own. */
  readonly env?: Map<string, string>;
  readonly cwd?: string;
  /** Runs the line as if it ended with `&`. */
  readonly background?: boolean;
  readonly priority?: number;
}

/**
 * Runs one command line on a node and resolves to the status of its last command. Background jobs of the line go on.
 * Never rejects: what goes wrong is told on `stderr`.
 */
export function runCommandLine(
  node: LabNode,
  line: string,
  options: CommandLineOptions = {},
): Promise<number> {
  const { env = node.env, background = false, ...rest } = options;
  const program = async (self: Process): Promise<number> => {
    const before = new Map(self.env);
    const status = await runText(createShell(self, false), background ? `${line} &` : line);
    keepChanges(before, self.env, env);
    return status;
  };
  return spawn(node, program, { ...rest, env, argv: ['sh', '-c', line] }).exited;
}

/** Carries what changed between two environments over to a third. */
function keepChanges(
  before: Map<string, string>,
  after: Map<string, string>,
  target: Map<string, string>,
): void {
  for (const name of before.keys()) if (!after.has(name)) target.delete(name);
  for (const [name, value] of after) if (before.get(name) !== value) target.set(name, value);
}
