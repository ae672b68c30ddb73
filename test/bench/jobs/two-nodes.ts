/**
 * A lab for transfers: two nodes on a perfect cable with an MTU of 1500, in the clock and with the threads that a bench asks for.
 */
import { parseLab } from '../../../main/lab/file/parse.ts';
import { formatProblem } from '../../../main/lab/file/parse.ts';
import { startLab } from '../../../main/lab/lab.ts';
import type { LabOptions, RunningLab } from '../../../main/lab/lab.ts';
import type { NormalLab } from '../../../main/lab/file/model.ts';
import { spawn } from '../../../stack/kernel/process.ts';
import type { LabNode, Process } from '../../../stack/kernel/process.ts';
import { inetAton } from '../../../stack/socket/inet.ts';

/** In which time, and with how many threads (default: one per CPU), a lab of a bench runs. */
export interface LabMode {
  readonly time: 'real' | 'virtual';
  readonly threads?: number;
}

/** How long a transfer runs before it is measured, and how long it is measured, s. */
export interface Timing {
  readonly warmUp: number;
  readonly measured: number;
}

const TWO_NODES = `
name: bench
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.1/24 up'] }
  beta: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.2/24 up'] }
links:
  wire: { between: [alpha:en0, beta:en0] }
`;
export const BETA_ADDRESS: number = inetAton('10.0.0.2')!;

/** Reads a lab that a bench has written. */
export function labOf(text: string): NormalLab {
  const parsed = parseLab(text, 'bench.lab.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return parsed.lab;
}

/** Starts a lab; a start-up command that fails ends the bench. */
export async function startBenchLab(lab: NormalLab, { time, threads }: LabMode): Promise<RunningLab> {
  const failures: string[] = [];
  const options: LabOptions = {
    time,
    seed: 1,
    ...(threads !== undefined && { threads }),
    onStartupFailure: (node, line, status) => failures.push(`${node}: '${line}' ended with status ${status}`),
  };
  const running = await startLab(lab, options);
  if (failures.length === 0) return running;
  await running.stop();
  throw new Error(failures.slice(0, 5).join('\n'));
}

export function startTwoNodes(mode: LabMode): Promise<RunningLab> {
  return startBenchLab(labOf(TWO_NODES), mode);
}

/** Something that counts, such as bytes received. */
export interface Meter {
  count: number;
}

/** The two programs of a transfer. They run until they are ended. */
export interface Transfer {
  /** Runs on alpha: sends as much as it can. */
  source(self: Process): Promise<never>;
  /** Runs on beta: counts what arrives. Calls `onReady` when the other may begin. */
  sink(self: Process, received: Meter, onReady: () => void): Promise<never>;
}

/** Transfers in a lab of two nodes that runs, and returns what arrives per second. */
export async function transferRate(lab: RunningLab, timing: Timing, transfer: Transfer): Promise<number> {
  const received: Meter = { count: 0 };
  const running: Process[] = [];
  try {
    return await new Promise<number>((resolve, reject) => {
      const begin = (node: string, program: (self: Process) => Promise<never>): void => {
        running.push(start(lab.nodes.get(node)!, program, reject));
      };
      const onReady = (): void => {
        begin('alpha', (self) => transfer.source(self));
        rateOf(received, timing).then(resolve, reject);
      };
      begin('beta', (self) => transfer.sink(self, received, onReady));
    });
  } finally {
    for (const process of running) process.kill('SIGKILL');
    await Promise.all(running.map((process) => process.exited));
  }
}

function start(
  node: LabNode,
  program: (self: Process) => Promise<never>,
  onFailure: (error: unknown) => void,
): Process {
  const failing = async (self: Process): Promise<number> => {
    await program(self).catch(onFailure);
    return 1;
  };
  return spawn(node, failing, { argv: ['bench'] });
}

/** Waits for the first count, lets the transfer warm up, and returns counts per second of the time after. */
async function rateOf(meter: Meter, { warmUp, measured }: Timing): Promise<number> {
  const deadline = performance.now() + 10_000;
  while (meter.count === 0) {
    if (performance.now() > deadline) throw new Error('nothing arrived within 10 s');
    await pause(10);
  }
  await pause(warmUp * 1000);
  const [before, from] = [meter.count, performance.now()];
  await pause(measured * 1000);
  return (meter.count - before) / ((performance.now() - from) / 1000);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
