/**
 * sloginfo: the system log of the node; -w goes on with new entries, -c empties it.
 */
import { interruptible } from '../kernel/byte-stream.ts';
import type { Process } from '../kernel/process.ts';
import { whileBlocked } from '../kernel/party.ts';
import type { LogEntry } from '../kernel/syslog.ts';
import { command } from './command.ts';
import { formatTime } from './wall-time.ts';

const HEADING = 'Time                 Sev Source             Text\n';

function lines({ time, severity, source, text }: LogEntry): string {
  const head = `${formatTime(time, 'milliseconds')}    ${severity} ${source.padEnd(18)} `;
  return text
    .split('\n')
    .map((line) => `${head}${line}\n`)
    .join('');
}

/** Prints what is kept and then entries as they come, until the process is told to end. */
async function follow(self: Process, kept: readonly LogEntry[]): Promise<never> {
  // What is written while earlier entries are printed is waiting here.
  const entries = [...kept];
  let wake = (): void => undefined;
  const stop = self.node.log.follow((entry) => {
    entries.push(entry);
    wake();
  });
  try {
    await self.stdout.write(HEADING);
    for (;;) {
      while (entries.length > 0) await self.stdout.write(entries.splice(0).map(lines).join(''));
      const more = new Promise<void>((resolve) => (wake = resolve));
      await whileBlocked(self, 'SIGWAITINFO', '', interruptible(more, self.signal, 'sloginfo'));
    }
  } finally {
    stop();
  }
}

export const sloginfo = command({
  name: 'sloginfo',
  usage: '[-cw]',
  summary: 'print the system log; -w: follow it, -c: empty it',
  options: 'cw',
  async run(self, args) {
    const { log } = self.node;
    if (args.has('c')) {
      log.clear();
      if (!args.has('w')) return 0;
    }
    if (args.has('w')) return follow(self, log.entries());
    await self.stdout.write(HEADING + log.entries().map(lines).join(''));
    return 0;
  },
});
