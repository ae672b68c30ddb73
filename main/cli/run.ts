/**
 * `stackscope run`: starts a lab, runs commands on its nodes, captures, stops.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { usageFailure } from './failure.ts';
import { addLabOptions, collect, parseTime } from './lab-options.ts';
import type { LabOptionValues } from './lab-options.ts';
import type { SnapshotRequest, TimeOptionValues } from './timed-session.ts';

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
  stackscope run two-nodes.lab.yaml --exec 'beta: nc -l 5000 &' --exec 'alpha: echo hi | nc 10.0.0.2 5000' --for 5s
  stackscope run two-nodes.lab.yaml --time virtual --exec 'alpha: ping -c 9 10.0.0.2' --snapshot-at 5s=at5.snapshot
  stackscope run --from at5.snapshot --capture all=rest.pcapng

A snapshot has the history of the run and an image of the memory. Programs cannot be saved, but in virtual time they do the
same again: --from plays the history again without output, compares the memory with the image, and goes on from there.

A script of --control has a command on each line: pause, resume, where, step [EVENTS], next [PACKETS], speed FACTOR|max,
to TIME, to +TIME, back TIME, back-to TIME, back-to event N, snapshot FILE, exec NODE: COMMAND; # begins a remark. The lab
stands still at its beginning, and goes on when the script is through. Going back plays the run again from its beginning;
what --control let in after that place has not happened then, and capture files show the run as it has become.`;

type RunOptionValues = LabOptionValues & TimeOptionValues;

/** The `run` verb. */
export function runCommand(): Command {
  const command = new Command('run')
    .description('run a lab: execute commands on its nodes, capture its packets')
    .argument('[LAB.lab.yaml]', 'lab file; none with --from');
  return addLabOptions(command)
    .option(
      '--snapshot-at <TIME=FILE>',
      'save the lab at that lab time; needs --time virtual; repeatable',
      collect(parseSnapshotRequest),
      [],
    )
    .option('--from <FILE>', 'go on from a snapshot, whose commands come before those of --exec')
    .addOption(
      new Option(
        '--control <SCRIPT>',
        "obey a script of commands for the lab's time, - for standard input; needs --time virtual",
      ),
    )
    .addHelpText('after', HELP)
    .action(async (lab: string | undefined, options: RunOptionValues) => {
      process.exitCode = await (options.from === undefined
        ? run(lab, options)
        : goOn(options.from, lab, options, command));
    });
}

// What runs labs is loaded late: the engine reserves its memory when it is imported, and other verbs do without.

async function run(lab: string | undefined, options: RunOptionValues): Promise<number> {
  if (lab === undefined) throw usageFailure('stackscope: which lab? Name a lab file, or --from a snapshot');
  const isTimed = options.snapshotAt.length > 0 || options.control !== undefined;
  if (!isTimed) {
    const { runLab } = await import('./lab-session.ts');
    return runLab(lab, options);
  }
  if (options.time === 'real') {
    const option = options.control === undefined ? '--snapshot-at' : '--control';
    throw usageFailure(
      `stackscope: ${option} needs --time virtual: programs cannot be saved, only done again, and a run in real time is never the same again`,
    );
  }
  const { runTimed } = await import('./timed-session.ts');
  return runTimed(lab, options);
}

async function goOn(
  file: string,
  lab: string | undefined,
  options: RunOptionValues,
  command: Command,
): Promise<number> {
  if (lab !== undefined)
    throw usageFailure(`stackscope: --from ${file} has a lab of its own; leave ${lab} out`);
  for (const option of ['time', 'seed', 'threads'] as const) {
    if (command.getOptionValueSource(option) === 'cli')
      throw usageFailure(`stackscope: --${option} cannot be chosen with --from: it is that of the snapshot`);
  }
  const { continueRun } = await import('./timed-session.ts');
  return continueRun(file, options);
}

/** Reads `TIME=FILE`. */
function parseSnapshotRequest(text: string): SnapshotRequest {
  const [, time, file] = /^([^=]+)=(.+)$/s.exec(text) ?? [];
  if (time === undefined || file === undefined)
    throw new InvalidArgumentError('Write TIME=FILE, such as 5s=at5.snapshot.');
  return { time: parseTime(time), file };
}
