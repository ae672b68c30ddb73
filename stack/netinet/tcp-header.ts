/**
 * The TCP header (RFC 9293 §3.1): where its fields are, its flags, and arithmetic of sequence numbers (§3.4) as differences of signed 32-bit integers.
 */
export const TCP_HEADER = 20;
/** Longest header with options. */
/** Offsets of the fields. */
export const TCP_SPORT = 0;
export const TCP_DPORT = 2;
export const TCP_SEQ = 4;
export const TCP_ACK = 8;
export const TCP_OFF = 12;
export const TCP_FLAGS = 13;
export const TCP_WIN = 14;
export const TCP_SUM = 16;

export const TH_FIN = 0x01;
export const TH_SYN = 0x02;
export const TH_RST = 0x04;
export const TH_PUSH = 0x08;
export const TH_ACK = 0x10;

/** Largest value of the window field, and largest shift of it (RFC 7323 §2.3). */
export const TCP_MAXWIN = 65_535;
export const TCP_MAX_WINSHIFT = 14;

/** Sequence numbers are signed 32-bit integers everywhere in tcp-*.ts; `a` is less than `b` if it lies up to 2^31 before it. */
export function seqLt(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function seqLeq(a: number, b: number): boolean {
  return ((a - b) | 0) <= 0;
}

export function seqGt(a: number, b: number): boolean {
  return ((a - b) | 0) > 0;
}

export function seqGeq(a: number, b: number): boolean {
  return ((a - b) | 0) >= 0;
}
