/**
 * The one list of the programs of every node: importing it registers them all.
 */
import { launchStack } from '../kernel/io-pkt.ts';
import { registerProgram } from '../kernel/program-table.ts';

const stackUsage =
  '[-d driver [options]]... [-p protocol [options]]... [-i instance] [-t threads] [-P priority] [-Sv]';
for (const name of ['io-pkt-v4', 'io-pkt-v4-hc', 'io-pkt-v6-hc']) {
  registerProgram({ name, usage: stackUsage, summary: 'start a network manager', run: launchStack });
}
