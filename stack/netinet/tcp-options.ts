/**
 * TCP options: maximum segment size (RFC 9293 §3.7.1), window scale and timestamps (RFC 7323). Unknown options are skipped, malformed ones end the list.
 */
import { be16, be32, putBe16, putBe32, u8 } from '../memory/memory.ts';
import { TCP_MAX_WINSHIFT } from './tcp-header.ts';

const OPT_EOL = 0;
const OPT_NOP = 1;
const OPT_MSS = 2;
const OPT_SCALE = 3;
const OPT_TIMESTAMP = 8;

/** Bytes of the timestamp option with the padding that every segment carries. */
export const TIMESTAMP_BYTES = 12;
/** NOP, NOP, timestamp, length 10: how the option begins when it is the only one (RFC 7323 appendix A). */
const TIMESTAMP_LEAD = 0x0101080a;

/** What the options of the segment at hand say; valid until the next parse of this thread. */
export const options = {
  /** 0: absent. */
  mss: 0,
  /** -1: absent. */
  scale: -1,
  timestamp: false,
  value: 0,
  echo: 0,
};

/** Reads `length` bytes of options at `p` into `options`. */
export function parseOptions(p: number, length: number): void {
  options.mss = 0;
  options.scale = -1;
  options.timestamp = false;
  if (length === TIMESTAMP_BYTES && be32(p) === TIMESTAMP_LEAD) {
    options.timestamp = true;
    options.value = be32(p + 4);
    options.echo = be32(p + 8);
    return;
  }
  let at = 0;
  while (at < length) {
    const kind = u8[p + at]!;
    if (kind === OPT_EOL) return;
    if (kind === OPT_NOP) {
      at++;
      continue;
    }
    const size = at + 1 < length ? u8[p + at + 1]! : 0;
    if (size < 2 || at + size > length) return;
    parseOption(kind, size, p + at + 2);
    at += size;
  }
}

function parseOption(kind: number, size: number, value: number): void {
  if (kind === OPT_MSS && size === 4) options.mss = be16(value);
  else if (kind === OPT_SCALE && size === 3) options.scale = Math.min(u8[value]!, TCP_MAX_WINSHIFT);
  else if (kind === OPT_TIMESTAMP && size === 10) {
    options.timestamp = true;
    options.value = be32(value);
    options.echo = be32(value + 4);
  }
}

/** True if the options of a segment, `length` bytes at `p`, are a timestamp in its usual form and nothing else. */
export function isPlainTimestamp(p: number, length: number): boolean {
  return length === TIMESTAMP_BYTES && be32(p) === TIMESTAMP_LEAD;
}

/** Writes a timestamp option with its padding; returns its length. */
export function putTimestamp(p: number, value: number, echo: number): number {
  putBe32(p, TIMESTAMP_LEAD);
  putBe32(p + 4, value);
  putBe32(p + 8, echo);
  return TIMESTAMP_BYTES;
}

export function putMss(p: number, mss: number): number {
  u8[p] = OPT_MSS;
  u8[p + 1] = 4;
  putBe16(p + 2, mss);
  return 4;
}

export function putScale(p: number, scale: number): number {
  u8[p] = OPT_NOP;
  u8[p + 1] = OPT_SCALE;
  u8[p + 2] = 3;
  u8[p + 3] = scale;
  return 4;
}
