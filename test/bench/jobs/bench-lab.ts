/**
 * Labs for benches, in the clock and with the threads that a bench asks for; the one for most: two nodes on a perfect cable with an MTU of 1500.
 */
import { parseLab } from '../../../main/lab/file/parse.ts';
import { formatProblem } from '../../../main/lab/file/parse.ts';
import { startLab } from '../../../main/lab/lab.ts';
import type { LabOptions, RunningLab } from '../../../main/lab/lab.ts';
import type { NormalLab } from '../../../main/lab/file/model.ts';
import { inetAton } from '../../../stack/socket/inet.ts';

/** In which time, and with how many threads (default: one per CPU), a lab of a bench runs. */
export interface LabMode {
  readonly time: 'real' | 'virtual';
  readonly threads?: number;
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
