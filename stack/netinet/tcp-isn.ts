/**
 * Initial sequence numbers (RFC 6528, RFC 9293 §3.4.1): a clock of 4 µs plus a hash of both ends under a key of the stack, so that they grow for one pair of
 * ends and tell nothing about another. The key comes from the stack's random numbers: the same seed gives the same run.
 */
import { mix3 } from '../memory/hash.ts';
import { now } from '../runtime/clock.ts';
import { random32 } from '../runtime/random.ts';
import { stackStruct, stacks } from '../net/stack.ts';
import type { Inpcb } from './inpcb.ts';

const TICK = 4000;
const RANDOM = stackStruct.offsets.random;

function keyOf(stack: number): number {
  const owner = stacks.get(stack);
  if (owner.isnKey === 0) owner.isnKey = random32(stack + RANDOM) | 1;
  return owner.isnKey;
}

function hashEnds(inp: Inpcb, salt: number): number {
  const key = keyOf(inp.stack);
  return mix3(mix3(inp.local, inp.foreign, key), (inp.localPort << 16) | inp.foreignPort, key ^ salt);
}

/** The first sequence number of a new connection. */
export function newIsn(inp: Inpcb): number {
  return (hashEnds(inp, 0) + Math.floor(now() / TICK)) | 0;
}

/** Where the timestamp clock of a new connection begins (RFC 7323 §5.4, §7.1): the same for the same pair of ends. */
export function newTimestampOffset(inp: Inpcb): number {
  return hashEnds(inp, 0x5ca1ab1e);
}
