/**
 * A chain of nodes that all forward: datagrams from one end to the other, and how many packets per second the interfaces of the whole lab take in.
 */
import { inetAton } from '../../../stack/socket/inet.ts';
import { datagrams } from './datagrams.ts';
import { labOf, startBenchLab } from './bench-lab.ts';
import type { LabMode } from './bench-lab.ts';
import { handlingsOf } from './handlings.ts';
import { transferRates } from './transfer.ts';
import type { Timing } from './transfer.ts';

/** Node i is 10.0.i.2 on the link from the left and 10.0.(i+1).1 on the one to the right. */
function labText(nodes: number): string {
  const lines = ['name: chain', 'nodes:'];
  for (let i = 0; i < nodes; i++) {
    const [left, right] = [i > 0, i < nodes - 1];
    const startup = [
      ...(left ? [`ifconfig en0 10.0.${i}.2/24 up`] : []),
      ...(right ? [`ifconfig en1 10.0.${i + 1}.1/24 up`, `route add default 10.0.${i + 1}.2`] : []),
    ];
    lines.push(
      `  n${i}: { stack: 'io-pkt-v4-hc -ptcpip forward,fastforward', interfaces: [en0, en1], startup: ${JSON.stringify(startup)} }`,
    );
  }
  lines.push('links:');
  for (let i = 1; i < nodes; i++) lines.push(`  l${i}: { between: [n${i - 1}:en1, n${i}:en0] }`);
  return lines.join('\n');
}

export interface ChainRates {
  /** Packets taken in per second by all interfaces. */
  readonly handlings: number;
  /** Datagrams per second that reach the end. */
  readonly datagrams: number;
}

/** One run in a lab of its own. */
export async function chainJob({
  nodes,
  bytes,
  ...mode
}: LabMode & Timing & { readonly nodes: number; readonly bytes: number }): Promise<ChainRates> {
  const lab = await startBenchLab(labOf(labText(nodes)), mode);
  try {
    const course = { from: 'n0', to: `n${nodes - 1}`, address: inetAton(`10.0.${nodes - 1}.2`)! };
    const [arrived, taken] = await transferRates(lab, mode, datagrams(bytes), [course], [handlingsOf(lab)]);
    return { handlings: taken!, datagrams: arrived! };
  } finally {
    await lab.stop();
  }
}
