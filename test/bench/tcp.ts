/**
 * Bulk TCP between two nodes of one process, MTU 1500, checksums on, against the Linux kernel's between two namespaces.
 */
import { runJob } from './child.ts';
import { withVeth } from './peer/peers.ts';
import { interleave } from './rounds.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';
import type { Row } from './row.ts';

const UNIT = 'Gbit/s';

export function benchTcp({ rounds, seconds, warmUp }: Effort): Promise<Row[]> {
  const timing = { measured: seconds, warmUp };
  return withVeth(async (peers) => {
    const results = await interleave(rounds, {
      threads: () => runJob('stream', { time: 'real', ...timing }),
      plain: peers && (async () => (await peers.plain.stream(seconds, warmUp)) / 1e9),
      oneThread: () => runJob('stream', { time: 'real', threads: 1, ...timing }),
      offloading: peers && (async () => (await peers.offloading.stream(seconds, warmUp)) / 1e9),
      virtual: () => runJob('stream', { time: 'virtual', ...timing }),
    });
    const plain = { peers: results.plain, leastRatio: 1 };
    return [
      row('TCP bulk; peer: veth without offloads', results.threads, UNIT, plain),
      row('TCP bulk; peer: veth with offloads', results.threads, UNIT, { peers: results.offloading }),
      row('TCP bulk, 1 thread; peer: veth without offloads', results.oneThread, UNIT, {
        peers: results.plain,
      }),
      row('TCP bulk, virtual time; peer: veth without offloads', results.virtual, UNIT, {
        peers: results.plain,
      }),
    ];
  });
}
