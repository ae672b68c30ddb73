/**
 * `stackscope check`: validates lab files.
 */
import { Command } from 'commander';
import { loadLab } from '../lab/file/load.ts';
import { formatProblem, type ParsedLab } from '../lab/file/parse.ts';

/** Exit status for input that is wrong. */
const BAD_INPUT = 2;

/** The `check` verb: every problem on stderr with its line; exit status 0 (all files are right) or 2. */
export function checkCommand(): Command {
  return new Command('check')
    .description('check lab files; every problem is reported with its line')
    .argument('<LAB.lab.yaml...>', 'lab files')
    .option('--json', 'one JSON object a line and file on stdout: file, ok, nodes, links, problems, warnings')
    .action(async (files: string[], options: { json?: boolean }) => {
      for (const file of files) {
        const parsed = await loadLab(file);
        if (!parsed.ok) process.exitCode = BAD_INPUT;
        if (options.json === true) process.stdout.write(`${JSON.stringify(summary(file, parsed))}\n`);
        else report(file, parsed);
      }
    });
}

function report(file: string, parsed: ParsedLab): void {
  if (!parsed.ok) {
    for (const problem of parsed.problems) process.stderr.write(`${formatProblem(problem)}\n`);
    return;
  }
  for (const warning of parsed.warnings) {
    process.stderr.write(`${formatProblem({ ...warning, message: `warning: ${warning.message}` })}\n`);
  }
  const { nodes, links } = parsed.lab;
  process.stdout.write(`${file}: ok (${count(nodes.length, 'node')}, ${count(links.length, 'link')})\n`);
}

function summary(file: string, parsed: ParsedLab): object {
  if (!parsed.ok) return { file, ok: false, problems: parsed.problems, warnings: [] };
  const { nodes, links } = parsed.lab;
  return {
    file,
    ok: true,
    nodes: nodes.length,
    links: links.length,
    problems: [],
    warnings: parsed.warnings,
  };
}

function count(number: number, what: string): string {
  return `${String(number)} ${what}${number === 1 ? '' : 's'}`;
}
