/**
 * `stackscope snapshot`: runs a lab in virtual time up to a time and saves it there; `snapshot info` tells what is in such a file.
 */
import { Command } from 'commander';
import { usageFailure } from './failure.ts';
import { addModulesOption, collect, parseNodeCommand, parseSeed, parseTime } from './lab-options.ts';
import type { NodeCommand } from './lab-options.ts';

interface SnapshotOptionValues {
  readonly at?: number;
  readonly output?: string;
  readonly seed: number;
  readonly exec: readonly NodeCommand[];
  readonly modules: readonly string[];
}

const HELP = `
Examples:
  stackscope snapshot two-nodes.lab.yaml --at 5s --exec 'alpha: ping -c 9 10.0.0.2' -o at5.snapshot
  stackscope snapshot info at5.snapshot
  stackscope run --from at5.snapshot`;

/** The `snapshot` verb. */
export function snapshotCommand(): Command {
  const command = new Command('snapshot')
    .description('run a lab in virtual time and save it at a time, or look into what was saved')
    .argument('<LAB.lab.yaml>', 'lab file')
    .option('--at <TIME>', 'lab time, such as 5s', parseTime)
    .option('-o, --output <FILE>', 'where to')
    .option('--seed <n>', 'seed of all random numbers', parseSeed, 1)
    .option(
      '--exec <NODE: COMMAND>',
      'run a command line on a node; repeatable, in order; what it prints is not shown',
      collect(parseNodeCommand),
      [],
    )
    .addHelpText('after', HELP)
    .action(async (lab: string, options: SnapshotOptionValues) => {
      process.exitCode = await take(lab, options);
    });
  addModulesOption(command).addCommand(infoCommand());
  return command;
}

async function take(lab: string, { at, output, seed, exec, modules }: SnapshotOptionValues): Promise<number> {
  if (at === undefined || output === undefined)
    throw usageFailure('stackscope: snapshot needs --at TIME and -o FILE, such as --at 5s -o at5.snapshot');
  const { runTimed } = await import('./timed-session.ts');
  return runTimed(lab, {
    time: 'virtual',
    seed,
    exec,
    modules,
    capture: [],
    write: [],
    json: false,
    snapshotAt: [{ time: at, file: output }],
    untilSaved: true,
  });
}

function infoCommand(): Command {
  return new Command('info')
    .description(
      'tell what is in a snapshot: its history, its nodes with interfaces, routes, sockets and programs, its links',
    )
    .argument('<FILE>', 'snapshot')
    .option('--json', 'print one JSON object', false)
    .action(async (file: string, { json }: { readonly json: boolean }) => {
      const { showSnapshot } = await import('./snapshot-info.ts');
      process.exitCode = await showSnapshot(file, json);
    });
}
