/**
 * UDP between two nodes of one process against the Linux kernel's between two namespaces and against other stacks that are libraries: datagrams that arrive, small
 * ones and full ones.
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

const UNIT = 'datagrams/s';
const SMALL = 18;
const SIZES = [SMALL, 1472];
/** Small datagrams per second that must arrive. */
const LEAST_SMALL = 1e6;
const peers = { 'veth without offloads': vethPeer('none'), lwIP: lwipPeer, gVisor: gvisorPeer };

export function benchUdp({ rounds, seconds, warmUp }: Effort): Promise<Measured[]> {
  return withPeers(peers, async (opened) => {
    const rows: Measured[] = [];
    for (const bytes of SIZES) {
      const job: AnyJob = { name: 'datagrams', options: { time: 'real', measured: seconds, warmUp, bytes } };
      const theirs = (peer: TransferPeer | undefined) =>
        peer && (() => peer.datagrams(bytes, seconds, warmUp));
      const { ours, plain, lwip, gvisor } = await interleave(rounds, {
        ours: () => runJob(job.name, job.options),
        plain: theirs(opened['veth without offloads']),
        lwip: theirs(opened.lwIP),
        gvisor: theirs(opened.gVisor),
      });
      const name = `UDP, ${bytes} bytes`;
      if (bytes === SMALL) rows.push(by(job, row(name, ours, UNIT, { leastValue: LEAST_SMALL })));
      rows.push(
        row(`${name}; peer: iperf3 over veth without offloads`, ours, UNIT, { peers: plain }),
        row(`${name}; peer: lwIP, raw API`, ours, UNIT, { peers: lwip }),
        row(`${name}; peer: gVisor netstack`, ours, UNIT, { peers: gvisor }),
      );
    }
    return rows;
  });
}
