/**
 * A bridge and IP's fast path against the Linux kernel's bridge and forwarding: frames of 60 bytes, put at one end in batches of 32, that reach the other.
 */
import { runJob } from './child.ts';
import type { AnyJob } from './jobs/jobs.ts';
import type { Forwarding } from './jobs/forwarding.ts';
import { by } from './measured.ts';
import type { Measured } from './measured.ts';
import { linuxBridge, linuxIpForwarding } from './peer/linux-forwarding.ts';
import type { ForwardingPeer } from './peer/linux-forwarding.ts';
import { withPeers } from './peer/peer.ts';
import type { Peer } from './peer/peer.ts';
import { interleave } from './rounds.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';

const UNIT = 'Mpps';
const LEAST_RATIO = 20;

function bench(name: string, forwarding: Forwarding, peerName: string, peer: Peer<ForwardingPeer>) {
  return ({ rounds, seconds, warmUp }: Effort): Promise<Measured[]> =>
    withPeers({ [peerName]: peer }, async (opened) => {
      const timing = { measured: seconds, warmUp };
      const theirs = opened[peerName];
      const ours = async (time: 'real' | 'virtual') =>
        (await runJob('forwarding', { time, forwarding, ...timing })) / 1e6;
      const { oneThread, kernel, workers } = await interleave(rounds, {
        oneThread: () => ours('virtual'),
        kernel: theirs && (async () => (await theirs.frames(seconds, warmUp)) / 1e6),
        workers: () => ours('real'),
      });
      const judgement = { peers: kernel, leastRatio: LEAST_RATIO };
      const job: AnyJob = { name: 'forwarding', options: { time: 'virtual', forwarding, ...timing } };
      return [
        by(job, row(`${name}, one thread with its generator; peer: ${peerName}`, oneThread, UNIT, judgement)),
        row(`${name}, workers in real time; peer: ${peerName}`, workers, UNIT, { peers: kernel }),
      ];
    });
}

export const benchBridge = bench('bridge', 'bridge', 'Linux bridge', linuxBridge);
export const benchIpflow = bench('ipflow', 'ipflow', 'Linux IP forwarding', linuxIpForwarding);
