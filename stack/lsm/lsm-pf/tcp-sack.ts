/**
 * Selective acknowledgements (RFC 2018 §3) of numbers that modulate state has shifted: they go back by the same amount.
 */
import { be32, u8 } from '../../memory/memory.ts';
import { TCP_HEADER, pd, setTcpWord } from './packet.ts';

const KIND_SACK = 5;
/** Bytes of the two edges of a block. */
const BLOCK = 8;

/** Takes `shift` off all edges of the blocks in the segment at hand, whose header is ours. */
export function modulateSack(shift: number): void {
  for (let at = TCP_HEADER; at + 1 < pd.tcpHeader;) {
    const kind = u8[pd.transport + at]!;
    if (kind === 0) return;
    const length = kind === 1 ? 1 : u8[pd.transport + at + 1]!;
    if (length < 1 || at + length > pd.tcpHeader) return;
    if (kind === KIND_SACK)
      for (let edge = at + 2; edge + BLOCK <= at + length; edge += BLOCK) {
        setTcpWord(edge, (be32(pd.transport + edge) - shift) >>> 0);
        setTcpWord(edge + 4, (be32(pd.transport + edge + 4) - shift) >>> 0);
      }
    at += length;
  }
}
