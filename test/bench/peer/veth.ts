/**
 * The peer of transfers: two network namespaces of the Linux kernel joined by a veth pair, as in `ip-link(8)`. Each namespace lives as long as a process that waits for
 * the end of its input, so that nothing stays behind however the bench ends.
 */
import { execFile, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { promisify } from 'node:util';
import { endsWithBench } from '../children.ts';

const run = promisify(execFile);
/** Seconds after the measured time that a program may take. */
const PATIENCE = 20;
const INTERFACE = 'veth0';
/** Addresses for measurements (RFC 2544): nobody routes them. */
const ADDRESSES = ['198.18.0.1', '198.18.0.2'] as const;
const NAMESPACE_MS = 5000;

/** Whether the kernel may leave segmentation and checksums undone, as it does on veth by default. */
export type Offloads = 'default' | 'none';

export interface VethPair {
  /** Bits per second of TCP that reached the far end. */
  stream(seconds: number, warmUp: number): Promise<number>;
  /** Datagrams per second that reached the far end. */
  datagrams(bytes: number, seconds: number, warmUp: number): Promise<number>;
  close(): void;
}

/** What of iperf3's report (`--json`) is used; its sums differ by protocol. */
interface Report {
  readonly error?: string;
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number; readonly packets?: number };
    readonly sum?: { readonly seconds: number; readonly packets: number; readonly lost_packets: number };
  };
}

/** Why there is no peer on this machine; undefined when there can be one. */
export function missingForVeth(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make network namespaces';
  for (const tool of ['ip', 'iperf3', 'ethtool', 'unshare', 'nsenter']) {
    if (spawnSync(tool, ['--version']).error !== undefined) return `${tool} is not installed`;
  }
  return spawnSync('unshare', ['--net', 'true']).status === 0 ? undefined : 'unshare --net is not permitted';
}

/** A process in a network namespace of its own: once its namespace is not ours any more. */
async function holdNamespace(): Promise<ChildProcess & { pid: number }> {
  const holder = endsWithBench(spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'ignore'] }));
  const own = readlinkSync('/proc/self/ns/net');
  const until = performance.now() + NAMESPACE_MS;
  while (holder.pid === undefined || readlinkSync(`/proc/${holder.pid}/ns/net`) === own) {
    if (performance.now() > until) throw new Error('unshare --net makes no namespace');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return Object.assign(holder, { pid: holder.pid });
}

function inside(pid: number, ...argv: string[]): [string, string[]] {
  return ['nsenter', [`--net=/proc/${pid}/ns/net`, ...argv]];
}

/** Joins two new namespaces with a cable whose MTU is 1500. */
export async function openVethPair(offloads: Offloads): Promise<VethPair> {
  const holders: (ChildProcess & { pid: number })[] = [];
  const close = (): void => {
    for (const holder of holders) holder.kill('SIGKILL');
  };
  try {
    holders.push(await holdNamespace(), await holdNamespace());
    const [near, far] = [holders[0]!.pid, holders[1]!.pid];
    const ends = ['netns', String(near), 'type', 'veth', 'peer', 'name', INTERFACE, 'netns', String(far)];
    await run('ip', ['link', 'add', 'name', INTERFACE, ...ends]);
    for (const [i, pid] of [near, far].entries()) await setUp(pid, ADDRESSES[i]!, offloads);
    return {
      stream: async (seconds, warmUp) =>
        (await iperf(near, far, ['-t', String(seconds), '-O', String(warmUp)])).end.sum_received!
          .bits_per_second,
      datagrams: async (bytes, seconds, warmUp) => {
        const argv = ['-u', '-b', '0', '-l', String(bytes), '-t', String(seconds), '-O', String(warmUp)];
        const { packets, lost_packets: lost, seconds: taken } = (await iperf(near, far, argv)).end.sum!;
        return (packets - lost) / taken;
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

async function setUp(pid: number, address: string, offloads: Offloads): Promise<void> {
  const ip = (...argv: string[]): Promise<unknown> => run(...inside(pid, 'ip', ...argv));
  await ip('link', 'set', 'lo', 'up');
  await ip('address', 'add', `${address}/24`, 'dev', INTERFACE);
  await ip('link', 'set', INTERFACE, 'mtu', '1500', 'up');
  if (offloads === 'default') return;
  const features = ['tso', 'gso', 'gro', 'tx', 'rx', 'sg'].flatMap((feature) => [feature, 'off']);
  await run(...inside(pid, 'ethtool', '-K', INTERFACE, ...features));
}

async function iperf(near: number, far: number, argv: string[]): Promise<Report> {
  const serving = inside(far, 'iperf3', '-s', '-1', '--forceflush');
  const server = endsWithBench(spawn(...serving, { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    await new Promise((resolve, reject) => {
      server.once('error', reject).once('exit', () => reject(new Error('iperf3 -s ended at once')));
      server.stdout.once('data', resolve);
    });
    const [program, all] = inside(near, 'iperf3', '-c', ADDRESSES[1], '--json', ...argv);
    const client = run(program, all, { timeout: PATIENCE * 1000, maxBuffer: 64 * 1024 * 1024 });
    endsWithBench(client.child);
    return JSON.parse((await client).stdout) as Report;
  } finally {
    server.kill('SIGKILL');
  }
}
