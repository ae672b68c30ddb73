/**
 * `stackscope run`: starts a lab, runs commands on its nodes, captures, stops.
 */
import { Command } from 'commander';
import { addLabOptions } from './lab-options.ts';
import type { LabOptionValues } from './lab-options.ts';

const HELP = `
The lab starts, the --exec commands run one after the other on their nodes, and the lab stops, or, with --for, goes on
until that much time has passed since its start. Without --exec and --for it runs until Ctrl-C, which stops it cleanly
and finishes the capture files; a second Ctrl-C ends the program at once. Captures that the lab file asks for are
written to its folder.

Exit status: that of the first command that failed; 1 if a start-up line failed or a file could not be written to its
end; 2 for wrong usage or a bad lab file; 130 if Ctrl-C ended a command.

With --json the events are: started, output {node, command, stream, text}, exit {node, command, status},
capture {file, packets, dropped}, stopped {status, reason, time}. The command is null in the output of start-up lines.

Examples:
  stackscope run two-nodes.lab.yaml
  stackscope run two-nodes.lab.yaml --time virtual --seed 7 --exec 'alpha: ping -c 3 10.0.0.2' --capture all=out.pcapng
  stackscope run two-nodes.lab.yaml --exec 'beta: nc -l 5000 &' --exec 'alpha: echo hi | nc 10.0.0.2 5000' --for 5s`;

/** The `run` verb. */
export function runCommand(): Command {
  const command = new Command('run')
    .description('run a lab: execute commands on its nodes, capture its packets')
    .argument('<LAB.lab.yaml>', 'lab file');
  return addLabOptions(command)
    .addHelpText('after', HELP)
    .action(async (lab: string, options: LabOptionValues) => {
      // Loaded here: the engine reserves its memory when it is imported, and other verbs do without.
      const { runLab } = await import('./lab-session.ts');
      process.exitCode = await runLab(lab, options);
    });
}
