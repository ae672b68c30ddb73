/**
 * Bulk TCP between two nodes of one process, MTU 1500, checksums on, against the Linux kernel's between two namespaces and against other stacks that are libraries.
 */
import { runJob } from './child.ts';
import type { AnyJob } from './jobs/jobs.ts';
import { by } from './measured.ts';
import type { Measured } from './measured.ts';
import { withPeers } from './peer/peer.ts';
import type { TransferPeer } from './peer/transfer-peer.ts';
import { gvisorPeer, lwipPeer } from './peer/user-space.ts';
import { vethPeer } from './peer/veth.ts';
import { interleave } from './rounds.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';

const UNIT = 'Gbit/s';
const peers = {
  'veth with offloads': vethPeer('default'),
  'veth without offloads': vethPeer('none'),
  lwIP: lwipPeer,
  gVisor: gvisorPeer,
};

export function benchTcp({ rounds, seconds, warmUp }: Effort): Promise<Measured[]> {
  const timing = { measured: seconds, warmUp };
  return withPeers(peers, async (opened) => {
    const theirs = (peer: TransferPeer | undefined) =>
      peer && (async () => (await peer.stream(seconds, warmUp)) / 1e9);
    const results = await interleave(rounds, {
      ours: () => runJob('stream', { time: 'real', ...timing }),
      plain: theirs(opened['veth without offloads']),
      oneThread: () => runJob('stream', { time: 'real', threads: 1, ...timing }),
      offloading: theirs(opened['veth with offloads']),
      lwip: theirs(opened.lwIP),
      virtual: () => runJob('stream', { time: 'virtual', ...timing }),
      gvisor: theirs(opened.gVisor),
    });
    const job: AnyJob = { name: 'stream', options: { time: 'real', ...timing } };
    const against = (peer: string, figures: readonly number[], leastRatio: number): Measured =>
      by(job, row(`TCP bulk; peer: ${peer}`, results.ours, UNIT, { peers: figures, leastRatio }));
    return [
      against('veth with offloads', results.offloading, 1),
      against('veth without offloads', results.plain, 3),
      against('lwIP, raw API', results.lwip, 1),
      against('gVisor netstack', results.gvisor, 10),
      row('TCP bulk, 1 thread; peer: veth without offloads', results.oneThread, UNIT, {
        peers: results.plain,
      }),
      row('TCP bulk, virtual time; peer: veth without offloads', results.virtual, UNIT, {
        peers: results.plain,
      }),
    ];
  });
}
