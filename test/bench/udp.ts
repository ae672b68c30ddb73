/**
 * UDP between two nodes of one process against the Linux kernel's between two namespaces: datagrams that arrive, small ones and full ones.
 */
import { runJob } from './child.ts';
import { withVeth } from './peer/peers.ts';
import { interleave } from './rounds.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';
import type { Row } from './row.ts';

const SIZES = [18, 1472];

export function benchUdp({ rounds, seconds, warmUp }: Effort): Promise<Row[]> {
  return withVeth(async (peers) => {
    const rows: Row[] = [];
    for (const bytes of SIZES) {
      const results = await interleave(rounds, {
        ours: () => runJob('datagrams', { time: 'real', measured: seconds, warmUp, bytes }),
        plain: peers && (() => peers.plain.datagrams(bytes, seconds, warmUp)),
      });
      const name = `UDP, ${bytes} bytes; peer: iperf3 over veth without offloads`;
      rows.push(row(name, results.ours, 'datagrams/s', { peers: results.plain }));
    }
    return rows;
  });
}
