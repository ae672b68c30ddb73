/**
 * What the segment at hand says beyond its fixed fields: how many sequence numbers it takes, and its options (RFC 9293 §3.2, RFC 7323 §2).
 */
import { be16, u8 } from '../../memory/memory.ts';
import { TCP_HEADER, TH_FIN, TH_SYN, pd } from './packet.ts';

export const SCALE_KNOWN = 0x80;
export const SCALE_MASK = 0x0f;
const MAX_SHIFT = 14;
export const OPTION = { end: 0, nop: 1, mss: 2, scale: 3, sackPermitted: 4, sack: 5, timestamp: 8 } as const;

/** Sequence numbers that the segment takes. */
export function span(): number {
  return pd.dataLength + ((pd.flags & TH_SYN) !== 0 ? 1 : 0) + ((pd.flags & TH_FIN) !== 0 ? 1 : 0);
}

/** Where in the header an option of `length` bytes begins, from the start of the header; 0 if it is not there. */
export function findOption(kind: number, length: number): number {
  for (let at = TCP_HEADER; at + 1 < pd.tcpHeader;) {
    const found = u8[pd.transport + at]!;
    if (found === OPTION.end) return 0;
    const size = found === OPTION.nop ? 1 : u8[pd.transport + at + 1]!;
    if (size < 1 || (found !== OPTION.nop && size < 2) || at + size > pd.tcpHeader) return 0;
    if (found === kind && size === length) return at;
    at += size;
  }
  return 0;
}

/** The shift that the window scale option asks for, with SCALE_KNOWN; 0 if there is none. */
export function windowScale(): number {
  const at = findOption(OPTION.scale, 3);
  return at === 0 ? 0 : Math.min(u8[pd.transport + at + 2]!, MAX_SHIFT) | SCALE_KNOWN;
}

/** The largest segment that the sender takes; `otherwise` if it does not say. */
export function maximumSegment(otherwise: number): number {
  const at = findOption(OPTION.mss, 4);
  return at === 0 ? otherwise : be16(pd.transport + at + 2);
}
