/** Whether two BPF programs do the same: over given packets, packets steered into the corners of both, and all of them cut short. */
import type { BpfProgram } from '../../stack/filter/bpf/instruction.ts';
import { interpret, trace } from '../../stack/filter/bpf/interpreter.ts';
import { seededRandom, shortened, steeredPackets } from './bpf-packets.ts';
import type { FilterPacket } from './bpf-packets.ts';

/** A packet that two programs disagree about. */
export interface Difference {
  readonly packet: FilterPacket;
  readonly results: readonly [number, number];
  /** Whether wherever they disagree one of them has read behind the end of the packet: then they look at the same, but in another order. */
  readonly onlyShort: boolean;
}

/** Looks for a packet that two programs disagree about; one that is long enough for both is preferred. */
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
  let short: Difference | undefined;
  for (const packet of [...whole, ...shortened(whole, random)]) {
    const results = [run(left, packet), run(right, packet)] as const;
    if (results[0] === results[1]) continue;
    const onlyShort = endsOutside(left, packet) || endsOutside(right, packet);
    const difference = { packet, results, onlyShort };
    if (!onlyShort) return difference;
    short ??= difference;
  }
  return short;
}

function run(program: BpfProgram, { bytes, wireLength }: FilterPacket): number {
  return interpret(program, bytes, wireLength);
}

/** Whether a program ends because it read behind the captured bytes. */
function endsOutside(program: BpfProgram, { bytes, wireLength }: FilterPacket): boolean {
  for (const { loaded } of trace(program, bytes, wireLength))
    if (loaded !== undefined && loaded.value === undefined) return true;
  return false;
}
