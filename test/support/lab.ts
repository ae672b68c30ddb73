// Labs for tests: from the text of a lab file, or two nodes on a perfect cable.
import { expect } from 'vitest';
import { parseLab } from '../../main/lab/file/parse.ts';
import { formatProblem } from '../../main/lab/file/parse.ts';
import { startLab } from '../../main/lab/lab.ts';
import type { LabOptions, RunningLab } from '../../main/lab/lab.ts';
import { collector } from '../../stack/kernel/byte-stream.ts';
import type { LabNode } from '../../stack/kernel/process.ts';
import { leakReport } from '../../stack/memory/mbuf.ts';
import { runCommandLine } from '../../stack/utilities/shell/shell.ts';

/** Starts the lab in `text` (YAML), in virtual time with seed 1 unless told otherwise. */
export async function labFrom(text: string, options: Partial<LabOptions> = {}): Promise<RunningLab> {
  const parsed = parseLab(text, 'test.lab.yaml');
  if (!parsed.ok) throw new Error(parsed.problems.map(formatProblem).join('\n'));
  return startLab(parsed.lab, { time: 'virtual', seed: 1, ...options });
}

/** Stops a lab and checks that it leaves no buffer behind. */
export async function stopLab(lab: RunningLab): Promise<void> {
  await lab.stop();
  expect(Object.fromEntries(leakReport())).toEqual({});
}

export interface CommandOutcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line on a node of a lab. */
export async function run(lab: RunningLab, node: string, line: string): Promise<CommandOutcome> {
  const [stdout, stderr] = [collector(), collector()];
  const status = await runCommandLine(nodeOf(lab, node), line, { stdout, stderr });
  return { status, out: stdout.text(), err: stderr.text() };
}

/** Runs command lines on a node, all of which must succeed; returns what they printed. */
export async function succeed(lab: RunningLab, node: string, ...lines: readonly string[]): Promise<string> {
  let text = '';
  for (const line of lines) {
    const { status, out, err } = await run(lab, node, line);
    if (status !== 0) throw new Error(`${node}: '${line}' ended with status ${status}: ${err}`);
    text += out;
  }
  return text;
}

/** Runs a command line on a node that must fail; returns what it complained of. */
export async function refusal(lab: RunningLab, node: string, line: string): Promise<string> {
  const { status, out, err } = await run(lab, node, line);
  if (status === 0) throw new Error(`${node}: '${line}' succeeded: ${out}${err}`);
  return err;
}

export function nodeOf(lab: RunningLab, name: string): LabNode {
  const node = lab.nodes.get(name);
  if (node === undefined) throw new Error(`the lab has no node ${name}`);
  return node;
}

/** Two nodes on a perfect cable: en0 is 10.0.0.1/24 and 10.0.0.2/24. */
export interface TwoNodes {
  readonly lab: RunningLab;
  readonly alpha: LabNode;
  readonly beta: LabNode;
  stop(): Promise<void>;
}

export const TWO_NODES = `
name: two-nodes
nodes:
  alpha: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.1/24 up'] }
  beta: { stack: io-pkt-v4-hc, interfaces: [en0], startup: ['ifconfig en0 10.0.0.2/24 up'] }
links:
  wire: { between: [alpha:en0, beta:en0] }
`;

export async function twoNodes(options: Partial<LabOptions> = {}): Promise<TwoNodes> {
  const lab = await labFrom(TWO_NODES, options);
  return { lab, alpha: nodeOf(lab, 'alpha'), beta: nodeOf(lab, 'beta'), stop: () => stopLab(lab) };
}
