/**
 * Network namespaces of the Linux kernel (network_namespaces(7)) for peers. Each lives as long as a process that waits for the end of its input, so that nothing stays
 * behind however the bench ends.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { endsWithBench } from '../children.ts';
import { missingTools } from './tools.ts';
import type { Need } from './tools.ts';

const execute = promisify(execFile);
const NAMESPACE_MS = 5000;

export const NAMESPACE_NEEDS: readonly Need[] = [
  { what: 'ip', debianPackage: 'iproute2' },
  { what: 'unshare', debianPackage: 'util-linux' },
  { what: 'nsenter', debianPackage: 'util-linux' },
];

export interface Namespace {
  /** Of the process that holds it. */
  readonly pid: number;
  /** A command line that runs `argv` in it: its program and its arguments. */
  inside(...argv: readonly string[]): [string, string[]];
  /** Runs `ip` in it. */
  ip(...argv: readonly string[]): Promise<void>;
  /** Writes a setting of its network: `name` as sysctl(8) writes it, with slashes. */
  set(name: string, value: number): Promise<void>;
}

/** Why there can be no peer in namespaces that needs these tools, too; undefined when there can be one. */
export function missingForNamespaces(needs: readonly Need[]): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make network namespaces';
  const missing = missingTools([...NAMESPACE_NEEDS, ...needs]);
  if (missing !== undefined) return missing;
  return spawnSync('unshare', ['--net', 'true']).status === 0 ? undefined : 'unshare --net is not permitted';
}

/** Starts a process in a network namespace of its own: resolves once its namespace is not ours any more. */
async function hold(holder: ChildProcess): Promise<number> {
  const own = readlinkSync('/proc/self/ns/net');
  const until = performance.now() + NAMESPACE_MS;
  while (holder.pid === undefined || readlinkSync(`/proc/${holder.pid}/ns/net`) === own) {
    if (performance.now() > until) throw new Error('unshare --net makes no namespace');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return holder.pid;
}

function namespaceOf(pid: number): Namespace {
  const inside = (...argv: readonly string[]): [string, string[]] => [
    'nsenter',
    [`--net=/proc/${pid}/ns/net`, ...argv],
  ];
  const run = async (...argv: readonly string[]): Promise<void> => {
    await execute(...inside(...argv));
  };
  return {
    pid,
    inside,
    ip: (...argv) => run('ip', ...argv),
    set: (name, value) => run('sh', '-c', `echo ${value} > /proc/sys/net/${name}`),
  };
}

/** Two network namespaces, `near` and `far`, for what `build` makes in them; they end with the `close` of what it returns, and when it fails. */
export async function inTwoNamespaces<T extends object>(
  build: (near: Namespace, far: Namespace) => Promise<T>,
): Promise<T & { close(): void }> {
  const holders: ChildProcess[] = [];
  const close = (): void => {
    for (const holder of holders) holder.kill('SIGKILL');
  };
  const open = async (): Promise<Namespace> => {
    const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'ignore'] });
    holders.push(endsWithBench(holder));
    return namespaceOf(await hold(holder));
  };
  try {
    return Object.assign(await build(await open(), await open()), { close });
  } catch (error) {
    close();
    throw error;
  }
}

/** One end of a cable between namespaces. */
export interface CableEnd {
  readonly namespace: Namespace;
  readonly name: string;
  /** Hardware address; default: one that the kernel chooses. */
  readonly mac?: string;
}

/** Joins two namespaces with a veth pair (veth(4)), both ends down. */
export async function cable(near: CableEnd, far: CableEnd): Promise<void> {
  const end = ({ namespace, name, mac }: CableEnd): string[] => [
    'name',
    name,
    ...(mac === undefined ? [] : ['address', mac]),
    'netns',
    String(namespace.pid),
  ];
  await execute('ip', ['link', 'add', ...end(near), 'type', 'veth', 'peer', ...end(far)]);
}
