/**
 * The peer of transfers: the Linux kernel's own stack in two network namespaces joined by a veth pair, driven by iperf3(1).
 */
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { endsWithBench } from '../children.ts';
import { cable, inTwoNamespaces, missingForNamespaces } from './namespace.ts';
import type { Namespace } from './namespace.ts';
import type { Peer } from './peer.ts';
import type { Need } from './tools.ts';
import type { TransferPeer } from './transfer-peer.ts';

const execute = promisify(execFile);
/** Seconds after the measured time that a program may take. */
const PATIENCE = 20;
const INTERFACE = 'veth0';
/** Addresses for measurements (RFC 2544): nobody routes them. */
const ADDRESSES = ['198.18.0.1', '198.18.0.2'] as const;

export const VETH_NEEDS: readonly Need[] = [
  { what: 'iperf3', debianPackage: 'iperf3' },
  { what: 'ethtool', debianPackage: 'ethtool' },
];

/** Whether the kernel may leave segmentation and checksums undone, as it does on veth by default. */
export type Offloads = 'default' | 'none';

/** What of iperf3's report (`--json`) is used; its sums differ by protocol. */
interface Report {
  readonly error?: string;
  readonly end: {
    readonly sum_received?: { readonly bits_per_second: number; readonly packets?: number };
    readonly sum?: { readonly seconds: number; readonly packets: number; readonly lost_packets: number };
  };
}

/** Two namespaces on a cable whose MTU is 1500. Without offloads the kernel sends packet by packet and computes every checksum, as our nodes do. */
export function vethPeer(offloads: Offloads): Peer<TransferPeer> {
  return {
    missing: () => missingForNamespaces(VETH_NEEDS),
    open: () =>
      inTwoNamespaces(async (near, far) => {
        await cable({ namespace: near, name: INTERFACE }, { namespace: far, name: INTERFACE });
        await setUp(near, ADDRESSES[0], offloads);
        await setUp(far, ADDRESSES[1], offloads);
        return transfers(near, far);
      }),
  };
}

function transfers(near: Namespace, far: Namespace): TransferPeer {
  return {
    stream: async (seconds, warmUp) =>
      (await iperf(near, far, ['-t', String(seconds), '-O', String(warmUp)])).end.sum_received!
        .bits_per_second,
    // Without a warm-up: iperf3 counts losses of the time that it omits, but not what it sends then.
    datagrams: async (bytes, seconds) => {
      const argv = ['-u', '-b', '0', '-l', String(bytes), '-t', String(seconds)];
      const { packets, lost_packets: lost, seconds: taken } = (await iperf(near, far, argv)).end.sum!;
      return (packets - lost) / taken;
    },
  };
}

async function setUp(namespace: Namespace, address: string, offloads: Offloads): Promise<void> {
  await namespace.ip('link', 'set', 'lo', 'up');
  await namespace.ip('address', 'add', `${address}/24`, 'dev', INTERFACE);
  await namespace.ip('link', 'set', INTERFACE, 'mtu', '1500', 'up');
  if (offloads === 'default') return;
  const features = ['tso', 'gso', 'gro', 'tx', 'rx', 'sg'].flatMap((feature) => [feature, 'off']);
  await execute(...namespace.inside('ethtool', '-K', INTERFACE, ...features));
}

async function iperf(near: Namespace, far: Namespace, argv: string[]): Promise<Report> {
  const serving = far.inside('iperf3', '-s', '-1', '--forceflush');
  const server = endsWithBench(spawn(...serving, { stdio: ['ignore', 'pipe', 'ignore'] }));
  try {
    await new Promise((resolve, reject) => {
      server.once('error', reject).once('exit', () => reject(new Error('iperf3 -s ended at once')));
      server.stdout.once('data', resolve);
    });
    const [program, all] = near.inside('iperf3', '-c', ADDRESSES[1], '--json', ...argv);
    const client = execute(program, all, { timeout: PATIENCE * 1000, maxBuffer: 64 * 1024 * 1024 });
    endsWithBench(client.child);
    return JSON.parse((await client).stdout) as Report;
  } finally {
    server.kill('SIGKILL');
  }
}
