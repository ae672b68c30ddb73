/**
 * Transfers between nodes of a lab that runs: two programs each, one that sends as much as it can and one that counts what arrives.
 */
import { spawn } from '../../../stack/kernel/process.ts';
import type { LabNode, Process } from '../../../stack/kernel/process.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { BETA_ADDRESS } from './bench-lab.ts';

/** How long a transfer runs before it is measured, and how long it is measured, s. */
export interface Timing {
  readonly warmUp: number;
  readonly measured: number;
  /** Called between the two. */
  readonly onWarm?: () => void;
}

/** Something that counts, such as bytes received. */
export interface Meter {
  readonly count: number;
}

/** The two programs of a transfer. They run until they are ended. */
export interface Transfer {
  /** Sends as much as it can to an address (host order). */
  source(self: Process, to: number): Promise<never>;
  /** Counts what arrives. Calls `onReady` when the other may begin. */
  sink(self: Process, received: { count: number }, onReady: () => void): Promise<never>;
}

/** From which node to which, and the address (host order) that the latter has for the former. */
export interface Course {
  readonly from: string;
  readonly to: string;
  readonly address: number;
}

/** The transfer between the two nodes of a bench's lab. */
export const ALPHA_TO_BETA: Course = { from: 'alpha', to: 'beta', address: BETA_ADDRESS };

/** Transfers on all courses at once, and returns what arrives per second on each, then what each of `others` counts per second of the same time. */
export async function transferRates(
  lab: RunningLab,
  timing: Timing,
  transfer: Transfer,
  courses: readonly Course[],
  others: readonly Meter[] = [],
): Promise<number[]> {
  const running: Process[] = [];
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  const begin = (node: string, program: (self: Process) => Promise<never>): void => {
    running.push(start(lab.nodes.get(node)!, program, fail));
  };
  const beginCourse = ({ from, to, address }: Course): Meter => {
    const received = { count: 0 };
    const onReady = (): void => begin(from, (self) => transfer.source(self, address));
    begin(to, (self) => transfer.sink(self, received, onReady));
    return received;
  };
  try {
    const meters = courses.map(beginCourse);
    return await Promise.race([failed, ratesOf(meters, others, timing)]);
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

/** Waits until everything has arrived somewhere, and returns counts per second after the warm-up. */
async function ratesOf(
  meters: readonly Meter[],
  others: readonly Meter[],
  timing: Timing,
): Promise<number[]> {
  const deadline = performance.now() + 10_000;
  while (meters.some(({ count }) => count === 0)) {
    if (performance.now() > deadline) throw new Error('nothing arrived within 10 s');
    await pause(10);
  }
  return countsPerSecond([...meters, ...others], timing);
}

/** What meters count per second, after the warm-up. */
export async function countsPerSecond(
  meters: readonly Meter[],
  { warmUp, measured, onWarm }: Timing,
): Promise<number[]> {
  await pause(warmUp * 1000);
  onWarm?.();
  const before = meters.map(({ count }) => count);
  const from = performance.now();
  await pause(measured * 1000);
  const after = meters.map(({ count }) => count);
  const seconds = (performance.now() - from) / 1000;
  return after.map((count, i) => (count - before[i]!) / seconds);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
