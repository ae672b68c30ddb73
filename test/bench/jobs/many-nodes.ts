/**
 * A thousand nodes with two thousand links: each node's en0 goes to a switch, and switches to a backbone; en1 and en2 join neighbours in a ring. How long they take to start, what
 * they take of the memory and, idle, of a processor, and a hundred pings at once.
 */
import { existsSync, readFileSync } from 'node:fs';
import { nullSink } from '../../../stack/kernel/byte-stream.ts';
import { memory } from '../../../stack/memory/memory.ts';
import { runCommandLine } from '../../../stack/utilities/shell/shell.ts';
import { labOf, startBenchLab } from './bench-lab.ts';

const NODES_PER_SWITCH = 32;
const PINGS = 100;
const MIB = 1_048_576;

export interface ManyNodes {
  /** Seconds from the text of the lab file until all nodes have run their start-up lines. */
  readonly start: number;
  /** MiB of resident memory of the whole process, and how much more than before. */
  readonly resident: number;
  readonly memory: number;
  /** MiB of it: the heap of the main thread, dead objects included, and what is touched of the one memory (0 where the system does not tell). */
  readonly heap: number;
  readonly shared: number;
  /** Percent of one processor while nothing happens. */
  readonly idle: number;
  /** Seconds for a hundred pings of three packets, 0.1 s apart, at once, and how many failed. */
  readonly pings: number;
  readonly failed: number;
  readonly links: number;
}

/** 10.1.0.1 and up: on the switches. */
function addressOf(node: number): string {
  const host = node + 1;
  return `10.1.${host >>> 8}.${host & 255}`;
}

/** An address on the link of the ring that begins at node `link`: 10.2.0.1/30 and 10.2.0.2/30, and up. */
function ringAddress(link: number, end: 1 | 2): string {
  const host = link * 4 + end;
  return `10.2.${host >>> 8}.${host & 255}/30`;
}

function nodeText(i: number, nodes: number): string {
  const startup = [
    `ifconfig en0 ${addressOf(i)}/16 up`,
    `ifconfig en1 ${ringAddress(i, 1)} up`,
    `ifconfig en2 ${ringAddress((i + nodes - 1) % nodes, 2)} up`,
  ];
  return `  n${i}: { stack: io-pkt-v4-hc, interfaces: [en0, en1, en2], startup: ${JSON.stringify(startup)} }`;
}

function labText(nodes: number): string {
  const switches = Math.ceil(nodes / NODES_PER_SWITCH);
  const lines = ['name: many', 'nodes:'];
  for (let i = 0; i < nodes; i++) lines.push(nodeText(i, nodes));
  lines.push('switches:', `  backbone: { ports: ${switches} }`);
  for (let i = 0; i < switches; i++) lines.push(`  s${i}: { ports: ${NODES_PER_SWITCH + 1} }`);
  lines.push('links:');
  for (let i = 0; i < switches; i++) lines.push(`  trunk${i}: { between: [s${i}, backbone] }`);
  for (let i = 0; i < nodes; i++) {
    lines.push(`  l${i}: { between: [n${i}:en0, s${Math.floor(i / NODES_PER_SWITCH)}] }`);
    lines.push(`  r${i}: { between: [n${i}:en1, n${(i + 1) % nodes}:en2] }`);
  }
  return lines.join('\n');
}

/** Bytes of the one memory that are resident: of the mapping (proc(5), smaps) that is as large as it. */
function touchedOfTheOneMemory(): number {
  const smaps = '/proc/self/smaps';
  if (!existsSync(smaps)) return 0;
  const size = `Size: +${memory.buffer.byteLength / 1024} kB`;
  const resident = new RegExp(`^${size}$[^-]*?^Rss: +([0-9]+) kB$`, 'm').exec(readFileSync(smaps, 'utf8'));
  return resident === null ? 0 : Number(resident[1]) * 1024;
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
  const [before, begun] = [process.memoryUsage().rss, performance.now()];
  const running = await startBenchLab(labOf(text), { time: 'real' });
  try {
    const start = (performance.now() - begun) / 1000;
    const { rss, heapTotal } = process.memoryUsage();
    const shared = touchedOfTheOneMemory();
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
    return {
      start,
      resident: rss / MIB,
      memory: (rss - before) / MIB,
      heap: heapTotal / MIB,
      shared: shared / MIB,
      idle,
      pings: (performance.now() - pinged) / 1000,
      failed: statuses.filter((status) => status !== 0).length,
      links: running.links.size,
    };
  } finally {
    await running.stop();
  }
}
