/**
 * A node of the lab: its environment, path space, processes, system log and in-memory file system. What its programs see is a LabNode (process.ts).
 */
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import { randomUnit, seedRandom } from '../runtime/random.ts';
import { createPathSpace } from './path-space.ts';
import { createProcessTable } from './process.ts';
import type { LabNode } from './process.ts';
import { startManagers } from './procnto.ts';
import { createRamFs } from './ram-fs.ts';
import { systemLog } from './syslog.ts';
import type { SystemLog } from './syslog.ts';

/** The state of a node's random numbers lies in the one memory, so that a snapshot of the lab includes it. */
const nodeRandom = slab(struct('nodeRandom', { state: 'u32' }), 16_384);

const DEFAULT_FILE_BYTES = 128 * 1024 * 1024;

export interface NodeOptions {
  readonly name: string;
  /** Mixed with the lab's seed and the node's name. */
  readonly seed?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly log?: SystemLog;
  /** Most bytes in files of the in-memory file system. */
  readonly fileBytes?: number;
}

/** Makes a node and starts its managers. Throws when the memory has no room for more nodes. */
export function createNode(options: NodeOptions): LabNode {
  const { name } = options;
  const random = nodeRandom.alloc();
  if (random === 0) throw new Error(`node ${name}: at most ${nodeRandom.capacity} nodes fit into one lab`);
  seedRandom(random, `node:${name}:${options.seed ?? 0}`);
  const processes = createProcessTable();
  const remoteNodes: LabNode['remoteNodes'] = new Map();
  let running = true;

  const node: LabNode = {
    name,
    env: new Map(Object.entries({ HOSTNAME: name, HOME: '/root', PATH: '/proc/boot', ...options.env })),
    paths: createPathSpace(),
    processes,
    log: options.log ?? systemLog(),
    stacks: new Map(),
    remoteNodes,
    history: [],
    random: () => randomUnit(random),
    findParty: (pid) => processes.get(pid),
    remoteNode: (nd) => remoteNodes.get(nd),
    async shutdown() {
      if (!running) return;
      running = false;
      // The managers go last: closing files is messages to them.
      const all = processes.all();
      const programs = all.filter(({ pid }) => pid > LAST_MANAGER);
      for (const process of programs) process.kill('SIGKILL');
      await Promise.all(programs.map((process) => process.exited));
      for (const process of all) process.kill('SIGKILL');
      await Promise.all(all.map((process) => process.exited));
      nodeRandom.free(random);
    },
  };
  const files = createRamFs(options.fileBytes ?? DEFAULT_FILE_BYTES);
  for (const directory of ['etc', 'tmp', 'root', 'home']) files.makeDirectory(directory);
  files.install('etc/hosts', `127.0.0.1\tlocalhost ${name}\n`);
  startManagers(node, files);
  return node;
}

/** procnto and slogger. */
const LAST_MANAGER = 2;
