/**
 * `stackscope top`: runs a lab and shows what it looks like inside: threads, stack contexts, queues, pools.
 */
import { Command, InvalidArgumentError, Option } from 'commander';
import { addLabOptions, parseTime } from './lab-options.ts';
import type { LabOptionValues } from './lab-options.ts';

const HELP = `
The lab runs as with 'stackscope run'; what its commands print is not shown, but what they print on standard error is when the
lab has stopped. On a terminal the picture is drawn in place and q or Ctrl-C ends it; otherwise one follows the other.

Threads: what each does now (ROLE) and for which source (SERVES), the stacks whose context it holds, the sources in its run
queue, the share of the time it works, and per second the events it serviced by kind, its steals and its sleeps.
Stacks: the thread that holds the context now, why it was taken last, how often each thread took it since the picture before,
the packets that wait for the upper layers, the requests of clients that wait, and packets per second.
Interfaces: packets that wait to be sent (SENDQ) and in the device to be received (RECVQ), and rates.
Pools: records in use, the most there ever were, how many there can be, and how often there was none.

With --json each interval is an object with time and interval (s), threads, stacks and pools; all counters are per second, but
context.taken counts how often each thread, in the order of threads, took the context.

Exit status: as for run.

Examples:
  stackscope top two-nodes.lab.yaml
  stackscope top two-nodes.lab.yaml --exec 'beta: ttcp -r -s &' --exec 'alpha: ttcp -t -s -n 100000 10.0.0.2'
  stackscope top two-nodes.lab.yaml --time virtual --for 10s --json --exec 'alpha: ping -c 5 10.0.0.2'`;

const DEFAULT_INTERVAL_NS = 1e9;
const SHORTEST_INTERVAL_NS = 1e6;

interface TopOptionValues extends LabOptionValues {
  /** ns of the lab's clock. */
  readonly interval: number;
}

/** The `top` verb. */
export function topCommand(): Command {
  const command = new Command('top')
    .description('run a lab and show its threads, stack contexts, queues and pools')
    .argument('<LAB.lab.yaml>', 'lab file')
    .addOption(
      new Option('--interval <duration>', 'lab time from one picture to the next')
        .argParser(parseInterval)
        .default(DEFAULT_INTERVAL_NS, '1s'),
    );
  return addLabOptions(command, 'print one JSON object per line for every interval, and nothing else')
    .addHelpText('after', HELP)
    .action(async (lab: string, options: TopOptionValues) => {
      // Loaded here, as in `run`: the engine reserves its memory when it is imported.
      const { runLab } = await import('./lab-session.ts');
      const { topWork } = await import('./top-session.ts');
      process.exitCode = await runLab(lab, options, topWork(options));
    });
}

function parseInterval(text: string): number {
  const interval = parseTime(text);
  if (interval < SHORTEST_INTERVAL_NS) throw new InvalidArgumentError('It must be at least 1ms.');
  return interval;
}
