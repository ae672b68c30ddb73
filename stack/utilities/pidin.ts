/**
 * pidin: the processes of the node as Neutrino's pidin shows them; `pidin arguments` with their command lines, `pidin fds` with their descriptors.
 */
import { UsageError } from '../kernel/process.ts';
import type { Process } from '../kernel/process.ts';
import { command } from './command.ts';
import type { Arguments } from './command.ts';

const pidColumn = (pid: number): string => String(pid).padStart(8);

const FORMATS: Readonly<Record<string, { heading: string; line: (process: Process) => string }>> = {
  threads: {
    heading: '     pid tid name               prio STATE       Blocked',
    line({ pid, name, priority, blocks }) {
      const block = blocks.at(-1);
      const line = `${pidColumn(pid)}   1 ${name.padEnd(18)} ${String(priority).padStart(3)}r ${(block?.state ?? 'READY').padEnd(11)} ${block?.on ?? ''}`;
      return line.trimEnd();
    },
  },
  arguments: {
    heading: '     pid Arguments',
    line: ({ pid, argv }) => `${pidColumn(pid)} ${argv.join(' ')}`,
  },
  family: {
    heading: '     pid name               ppid',
    line: ({ pid, name, ppid }) => `${pidColumn(pid)} ${name.padEnd(18)} ${String(ppid).padStart(4)}`,
  },
  fds: {
    heading: '     pid name               descriptors',
    line: ({ pid, name, fds }) =>
      `${pidColumn(pid)} ${name.padEnd(18)} ${fds
        .entries()
        .map(([fd, { kind }]) => `${fd}:${kind}`)
        .join(' ')}`.trimEnd(),
  },
};

/** The format that `word` is the beginning of, as `pidin ar` for arguments. */
function formatOf(word: string | undefined): (typeof FORMATS)[string] {
  if (word === undefined) return FORMATS['threads']!;
  const name = Object.keys(FORMATS).find((known) => known.startsWith(word));
  if (name === undefined)
    throw new UsageError(`${word}: unknown format; one of ${Object.keys(FORMATS).join(', ')}`);
  return FORMATS[name]!;
}

async function run(self: Process, args: Arguments): Promise<number> {
  const { heading, line } = formatOf(args.operands[0]);
  const wanted = args.value('p');
  const chosen = self.node.processes
    .all()
    .filter(({ pid, name }) => wanted === undefined || name === wanted || String(pid) === wanted);
  await self.stdout.write(`${heading}\n${chosen.map((process) => `${line(process)}\n`).join('')}`);
  return chosen.length > 0 ? 0 : 1;
}

export const pidin = command({
  name: 'pidin',
  usage: '[-p pid | name] [threads | arguments | family | fds]',
  summary: 'show processes and what they wait for',
  options: 'p:',
  run,
  complete: () => Object.keys(FORMATS),
});
