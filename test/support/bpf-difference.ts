/** Whether two BPF programs do the same: over given packets, packets steered into the corners of both, and all of them cut short. */
import type { BpfProgram } from '../../stack/filter/bpf/instruction.ts';
import { interpret } from '../../stack/filter/bpf/interpreter.ts';
import { seededRandom, shortened, steeredPackets } from './bpf-packets.ts';
import type { FilterPacket } from './bpf-packets.ts';

/** A packet that two programs disagree about. */
export interface Difference {
  readonly packet: FilterPacket;
  readonly results: readonly [number, number];
  /** Whether all packets they disagree about were cut short. */
  readonly onlyShort: boolean;
}

/** Looks for a packet that two programs disagree about; one that was not cut short is preferred. */
export function programDifference(
  left: BpfProgram,
  right: BpfProgram,
  packets: readonly FilterPacket[],
  seed: number,
  steered = 64,
): Difference | undefined {
  const random = seededRandom(seed);
  const whole = [
    ...packets,
    ...steeredPackets(left, packets, steered, random),
    ...steeredPackets(right, packets, steered, random),
  ];
  const found = firstDifference(left, right, whole);
  if (found !== undefined) return { ...found, onlyShort: false };
  const short = firstDifference(left, right, shortened(whole, random));
  return short === undefined ? undefined : { ...short, onlyShort: true };
}

function firstDifference(
  left: BpfProgram,
  right: BpfProgram,
  packets: readonly FilterPacket[],
): Pick<Difference, 'packet' | 'results'> | undefined {
  for (const packet of packets) {
    const results = [left, right].map((program) => interpret(program, packet.bytes, packet.wireLength));
    const [first = 0, second = 0] = results;
    if (first !== second) return { packet, results: [first, second] };
  }
  return undefined;
}
