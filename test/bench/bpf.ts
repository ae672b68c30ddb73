/**
 * The engines of the BPF machine on one expression, 18 instructions long, and libpcap's own filter on the same packets. The gate: WebAssembly, entered once for a batch,
 * is the fastest.
 */
import { runJob } from './child.ts';
import type { BpfJobOptions } from './jobs/bpf.ts';
import type { AnyJob } from './jobs/jobs.ts';
import { by } from './measured.ts';
import type { Measured } from './measured.ts';
import { libpcapPeer } from './peer/libpcap.ts';
import { withPeers } from './peer/peer.ts';
import { interleave } from './rounds.ts';
import type { Effort } from './rounds.ts';
import { row } from './row.ts';

const UNIT = 'Mpps';
const EXPRESSION = 'tcp port 80 and host 10.0.0.2';
const BATCH = 32;
const PACKETS = 1e6;

export function benchBpf({ rounds, seconds, warmUp }: Effort): Promise<Measured[]> {
  const job = (engine: BpfJobOptions['engine'], batch: number) =>
    ({
      name: 'bpf',
      options: { engine, batch, expression: EXPRESSION, measured: seconds, warmUp },
    }) satisfies AnyJob;
  const rate = (engine: BpfJobOptions['engine'], batch: number) => async () =>
    (await runJob('bpf', job(engine, batch).options)) / PACKETS;
  return withPeers({ libpcap: libpcapPeer }, async ({ libpcap }) => {
    const { interpreter, closures, single, batches, peer } = await interleave(rounds, {
      interpreter: rate('interpreter', BATCH),
      closures: rate('closures', BATCH),
      single: rate('wasm', 1),
      batches: rate('wasm', BATCH),
      peer: libpcap && (async () => (await libpcap.filter(EXPRESSION)) / PACKETS),
    });
    const others = [interpreter, closures, single].map((values) => Math.max(...values));
    return [
      by(job('interpreter', BATCH), row('BPF interpreter', interpreter, UNIT)),
      by(job('closures', BATCH), row('BPF closures', closures, UNIT)),
      by(job('wasm', 1), row('BPF WebAssembly, packet by packet', single, UNIT)),
      by(
        job('wasm', BATCH),
        row(`BPF WebAssembly, batches of ${BATCH}; peer: the fastest of the others`, batches, UNIT, {
          peers: [Math.max(...others)],
          leastRatio: 1,
        }),
      ),
      row('BPF WebAssembly; peer: tcpdump -r FILE -w /dev/null', batches, UNIT, { peers: peer }),
    ];
  });
}
