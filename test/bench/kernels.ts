/*
 * How fast the checksum and copy kernels run at the lengths that packets have. GB/s is 10^9 bytes of payload per
 * second, read from a few hot buffers, as packets just received are.
 */

import { instantiateKernels } from '../../stack/memory/wasm/kernels.ts';
import type { Row } from './row.ts';

const payloadLengths = [64, 576, 1460, 9000] as const;
const buffers = 4;
const bufferBytes = 16384;
/** A packet's payload starts anywhere; this is where TCP's does in a cluster (2 + 14 + 20 + 20). */
const payloadOffset = 56;
const bytesPerRound = 64 * 1024 * 1024;
/** The best of several rounds: another process on the same core only ever makes a round slower. */
const rounds = 7;

type Kernel = (to: number, from: number, length: number) => number;

/** Best throughput of a kernel in GB/s. */
function throughput(kernel: Kernel, length: number): number {
  const calls = Math.ceil(bytesPerRound / length);
  const expected = kernel(buffers * bufferBytes + payloadOffset, payloadOffset, length);
  let best = 0;
  let wrong = 0;
  for (let round = 0; round < rounds; round++) {
    const start = performance.now();
    for (let i = 0; i < calls; i++) {
      const from = (i % buffers) * bufferBytes + payloadOffset;
      if (kernel(from + buffers * bufferBytes, from, length) !== expected) wrong++;
    }
    const milliseconds = performance.now() - start;
    best = Math.max(best, (calls * length) / milliseconds / 1e6);
  }
  if (wrong !== 0) throw new Error(`${wrong} calls gave another sum of the same bytes`);
  return best;
}

/** Measures each kernel at each payload length. */
export function benchKernels(): Row[] {
  const pages = (2 * buffers * bufferBytes) / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const bytes = new Uint8Array(memory.buffer);
  // The same bytes in every buffer, so that every call must give the same sum.
  for (let i = 0; i < bytes.length; i++) bytes[i] = ((i % bufferBytes) * 167) & 0xff;
  const { checksum, copyChecksum, copy } = instantiateKernels(memory);
  const kernels: Readonly<Record<string, Kernel>> = {
    checksum: (_to, from, length) => checksum(from, length),
    copyChecksum,
    copy: (to, from, length) => {
      copy(to, from, length);
      return 0;
    },
  };
  return Object.entries(kernels).flatMap(([name, kernel]) =>
    payloadLengths.map((length): Row => {
      return { name: `${name} ${length} bytes`, value: throughput(kernel, length), unit: 'GB/s' };
    }),
  );
}
