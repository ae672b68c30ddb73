/**
 * A thousand nodes on switches that a backbone joins: how long they take to start, what they take of the memory and, idle, of a processor, and a hundred pings at once.
 */
import { nullSink } from '../../../stack/kernel/byte-stream.ts';
import { runCommandLine } from '../../../stack/utilities/shell/shell.ts';
import { labOf, startBenchLab } from './two-nodes.ts';

const NODES_PER_SWITCH = 32;
const PINGS = 100;
const MIB = 1_048_576;

export interface ManyNodes {
  /** Seconds from the text of the lab file until all nodes have run their start-up lines. */
  readonly start: number;
  /** MiB of resident memory more than before. */
  readonly memory: number;
  /** Percent of one processor while nothing happens. */
  readonly idle: number;
  /** Seconds for a hundred pings of three packets, 0.1 s apart, at once, and how many failed. */
  readonly pings: number;
  readonly failed: number;
}

/** 10.1.0.1 and up. */
function addressOf(node: number): string {
  const host = node + 1;
  return `10.1.${host >>> 8}.${host & 255}`;
}

function labText(nodes: number): string {
  const switches = Math.ceil(nodes / NODES_PER_SWITCH);
  const lines = ['name: many', 'nodes:'];
  for (let i = 0; i < nodes; i++) {
    lines.push(
      `  n${i}: { stack: io-pkt-v4-hc, interfaces: [en0], startup: [ifconfig en0 ${addressOf(i)}/16 up] }`,
    );
  }
  lines.push('switches:', `  backbone: { ports: ${switches} }`);
  for (let i = 0; i < switches; i++) lines.push(`  s${i}: { ports: ${NODES_PER_SWITCH + 1} }`);
  lines.push('links:');
  for (let i = 0; i < switches; i++) lines.push(`  trunk${i}: { between: [s${i}, backbone] }`);
  for (let i = 0; i < nodes; i++)
    lines.push(`  l${i}: { between: [n${i}:en0, s${Math.floor(i / NODES_PER_SWITCH)}] }`);
  return lines.join('\n');
}

/** One run. */
export async function manyNodesJob({
  nodes,
  idleSeconds,
}: {
  readonly nodes: number;
  readonly idleSeconds: number;
}): Promise<ManyNodes> {
  const text = labText(nodes);
  const [resident, begun] = [process.memoryUsage().rss, performance.now()];
  const running = await startBenchLab(labOf(text), { time: 'real' });
  try {
    const start = (performance.now() - begun) / 1000;
    const memory = (process.memoryUsage().rss - resident) / MIB;
    const [used, from] = [process.cpuUsage(), performance.now()];
    await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
    const { user, system } = process.cpuUsage(used);
    const idle = ((user + system) / 1000 / (performance.now() - from)) * 100;
    const pinged = performance.now();
    const quiet = { stdout: nullSink, stderr: nullSink };
    const statuses = await Promise.all(
      Array.from({ length: PINGS }, (_, i) => {
        const [from, to] = [(i * 7) % nodes, (i * 13 + 500) % nodes];
        return runCommandLine(running.nodes.get(`n${from}`)!, `ping -c 3 -i 0.1 ${addressOf(to)}`, quiet);
      }),
    );
    const pings = (performance.now() - pinged) / 1000;
    return { start, memory, idle, pings, failed: statuses.filter((status) => status !== 0).length };
  } finally {
    await running.stop();
  }
}
