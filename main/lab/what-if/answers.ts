/**
 * A capture was taken without the translation that a rule set brings: answers in it are addressed to, or come from, ends that they would not have. What a translation has made of
 * a connection is remembered, and its answers are given to PF with the addresses with which they would have come.
 */

/** Ends of a packet; numbers in host order. The identifier of an ICMP query is the source port. */
export interface Ends {
  readonly protocol: number;
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
  readonly destinationPort: number;
}

const ICMP = 1;
const TCP = 6;
const UDP = 17;

function word32(ip: Uint8Array, at: number): number {
  return (
    (((ip[at] ?? 0) << 24) | ((ip[at + 1] ?? 0) << 16) | ((ip[at + 2] ?? 0) << 8) | (ip[at + 3] ?? 0)) >>> 0
  );
}

function word16(ip: Uint8Array, at: number): number {
  return ((ip[at] ?? 0) << 8) | (ip[at + 1] ?? 0);
}

function put16(ip: Uint8Array, at: number, value: number): void {
  ip[at] = value >>> 8;
  ip[at + 1] = value;
}

function put32(ip: Uint8Array, at: number, value: number): void {
  put16(ip, at, value >>> 16);
  put16(ip, at + 2, value & 0xffff);
}

function headerOf(ip: Uint8Array): number {
  return ((ip[0] ?? 0) & 15) << 2;
}

/** Ends of a packet that begins with its IPv4 header; those of later fragments, and of what has no ports, are 0. */
export function endsOf(ip: Uint8Array): Ends {
  const protocol = ip[9] ?? 0;
  const header = headerOf(ip);
  const isFirst = (word16(ip, 6) & 0x1fff) === 0;
  const hasPorts = isFirst && (protocol === TCP || protocol === UDP);
  const isQuery = isFirst && protocol === ICMP && (ip[header] === 0 || ip[header] === 8);
  return {
    protocol,
    source: word32(ip, 12),
    sourcePort: hasPorts ? word16(ip, header) : isQuery ? word16(ip, header + 4) : 0,
    destination: word32(ip, 16),
    destinationPort: hasPorts ? word16(ip, header + 2) : 0,
  };
}

/** Gives a packet other ends. Checksums stay as they are. */
function setEnds(ip: Uint8Array, ends: Ends): void {
  const header = headerOf(ip);
  put32(ip, 12, ends.source);
  put32(ip, 16, ends.destination);
  if (ends.protocol === ICMP) put16(ip, header + 4, ends.sourcePort);
  else {
    put16(ip, header, ends.sourcePort);
    put16(ip, header + 2, ends.destinationPort);
  }
}

/** Types of ICMP that quote a packet: unreachable, quench, redirect, time exceeded, parameter problem. */
const ERRORS: readonly number[] = [3, 4, 5, 11, 12];
const ICMP_HEADER = 8;

/** Where the packet begins that an ICMP error quotes, 0 if it is none, or quotes too little. */
function quotedAt(ip: Uint8Array): number {
  const at = headerOf(ip) + ICMP_HEADER;
  const isError = ip[9] === ICMP && ERRORS.includes(ip[headerOf(ip)] ?? 0);
  return isError && ip.length >= at + 20 && ip.length >= at + headerOf(ip.subarray(at)) + 8 ? at : 0;
}

function keyOf({ protocol, source, sourcePort, destination, destinationPort }: Ends): string {
  return `${protocol} ${source} ${sourcePort} ${destination} ${destinationPort}`;
}

/** The ends of an answer to a packet with these ends. */
function answerTo({ protocol, source, sourcePort, destination, destinationPort }: Ends): Ends {
  const ports =
    protocol === ICMP
      ? { sourcePort, destinationPort: 0 }
      : { sourcePort: destinationPort, destinationPort: sourcePort };
  return { protocol, source: destination, destination: source, ...ports };
}

export class Answers {
  readonly #translated = new Map<string, Ends>();

  /** A packet was translated from ends to others. */
  note(before: Ends, after: Ends): void {
    this.#translated.set(keyOf(answerTo(before)), answerTo(after));
  }

  /** An answer in the capture as it would have come; undefined for packets that are no answer to what was translated. */
  adapt(ip: Uint8Array): Uint8Array | undefined {
    if (this.#translated.size === 0) return undefined;
    const quoted = quotedAt(ip);
    if (quoted !== 0) return this.#adaptError(ip, quoted);
    const ends = this.#translated.get(keyOf(endsOf(ip)));
    if (ends === undefined) return undefined;
    const copy = ip.slice();
    setEnds(copy, ends);
    return copy;
  }

  /** An ICMP error would have quoted the translated packet, and gone to where that seemed to come from. */
  #adaptError(ip: Uint8Array, quoted: number): Uint8Array | undefined {
    const before = endsOf(ip.subarray(quoted));
    const answer = this.#translated.get(keyOf(answerTo(before)));
    if (answer === undefined) return undefined;
    const after = answerTo(answer);
    const copy = ip.slice();
    setEnds(copy.subarray(quoted), after);
    if (word32(ip, 16) === before.source) put32(copy, 16, after.source);
    return copy;
  }
}
