// What PF logs, as a program on the firewall sees it: tcpdump on pflog0.
import { nodeOf } from '../../support/lab.ts';
import { startCommand } from '../socket/programs.ts';
import { lab, pass } from './firewall.ts';

/** What tcpdump prints of the log while something happens: `rule 0/0(match): block in on en0`, one line for each packet. */
export async function logged(work: () => Promise<unknown>): Promise<string[]> {
  const running = startCommand(nodeOf(lab, 'fw'), 'tcpdump -n -t -e -i pflog0');
  await pass(1e6);
  await work();
  running.process.kill('SIGINT');
  await running.process.exited;
  return running
    .out()
    .split('\n')
    .flatMap((line) => /^rule .*? on \w+/.exec(line)?.[0] ?? []);
}
