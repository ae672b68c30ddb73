/** What the parts of the code generator share: the values made so far, where headers begin, and the usual shapes of tests. */
import { BPF_ADD, BPF_AND, BPF_LSH } from '../instruction.ts';
import { FilterFault } from './error.ts';
import { after } from './link-state.ts';
import type { LinkState, Place } from './link-state.ts';
import { and, commonBits, equal, not } from './predicate.ts';
import type { Predicate } from './predicate.ts';
import type { FilterResolver } from './resolver.ts';
import type { LoadSize, Value, Values } from './value.ts';

export interface Generation {
  readonly values: Values;
  readonly resolver: FilterResolver;
  /** Netmask of the network that packets are captured on, for `ip broadcast`; undefined if it is not known. */
  readonly netmask: number | undefined;
  /** Where headers begin for what comes next. */
  link: LinkState;
  /** Whether something cannot be optimized. */
  fixed: boolean;
}

/** Bytes at a place. */
export function load(g: Generation, place: Place, offset: number, size: LoadSize): Value {
  return g.values.load(size, place.base, place.offset + offset);
}

/** Where the network layer begins. */
export function networkPlace({ link }: Generation): Place {
  return after(link.payload, link.network);
}

/** Bytes of the network layer. */
export function loadNetwork(g: Generation, offset: number, size: LoadSize): Value {
  return load(g, networkPlace(g), offset, size);
}

/** Bytes of an OSI network layer, which follows LLC without SNAP. */
export function loadNoSnap(g: Generation, offset: number, size: LoadSize): Value {
  return load(g, after(g.link.payload, g.link.networkNoSnap), offset, size);
}

/** Where the transport layer of an IPv4 packet begins. */
export function ipv4TransportPlace(g: Generation): Place {
  const { base, offset } = networkPlace(g);
  if (base === undefined) return { base: g.values.headerLength(offset), offset };
  const lengthField = g.values.alu(BPF_AND, g.values.load(1, base, offset), constant(g, 0x0f));
  const length = g.values.alu(BPF_LSH, lengthField, constant(g, 2));
  return { base: g.values.alu(BPF_ADD, base, length), offset };
}

/** Where the transport layer of an IPv6 packet without extension headers begins. */
export function ipv6TransportPlace(g: Generation): Place {
  return after(networkPlace(g), 40);
}

export function constant(g: Generation, k: number): Value {
  return g.values.constant(k);
}

/** Whether a value is a constant. */
export function equals(g: Generation, value: Value, k: number): Predicate {
  return equal(value, constant(g, k));
}

/** Whether the bits of a mask in a value are those of a constant. */
export function masked(g: Generation, value: Value, mask: number, k: number): Predicate {
  // The machine has an instruction for "any of these bits".
  if (k === 0) return mask === 0xffffffff ? equals(g, value, 0) : not(anyBit(g, value, mask));
  return equals(g, g.values.alu(BPF_AND, value, constant(g, mask)), k);
}

/** Whether a value has any bit of a mask. */
export function anyBit(g: Generation, value: Value, mask: number): Predicate {
  return commonBits(value, constant(g, mask));
}

/** Whether the bytes at a place are these, looking at the last ones first. */
export function sameBytes(g: Generation, place: Place, offset: number, bytes: Uint8Array): Predicate {
  const tests: Predicate[] = [];
  let end = bytes.length;
  for (const size of [4, 2, 1] as const) {
    while (end >= size) {
      end -= size;
      const expected = bytes.subarray(end, end + size).reduce((value, byte) => value * 256 + byte, 0);
      tests.push(equals(g, load(g, place, offset + end, size), expected));
    }
  }
  return and(...tests);
}

/**
 * A scratch register of its own.
 *
 * @throws FilterFault if the expression has used them up.
 */
export function newRegister(g: Generation, column: number): number {
  const register = g.values.newRegister();
  if (register === undefined) throw new FilterFault('the expression needs too many scratch words', column);
  return register;
}
