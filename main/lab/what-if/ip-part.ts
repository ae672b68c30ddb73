/**
 * Where the IPv4 packet begins in a captured packet, by its link type (the link-layer header types of pcap).
 */
const ETHERTYPE_IP = 0x0800;
const ETHERTYPES_VLAN: readonly number[] = [0x8100, 0x88a8, 0x9100];
const PPP_IP = 0x0021;

function word(data: Uint8Array, at: number): number {
  return ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
}

/** Behind an EtherType at `at`, and any VLAN tags. */
function behindType(data: Uint8Array, at: number): number {
  let type = at;
  while (ETHERTYPES_VLAN.includes(word(data, type))) type += 4;
  return word(data, type) === ETHERTYPE_IP ? type + 2 : -1;
}

function behindPpp(data: Uint8Array): number {
  const start = data[0] === 0xff && data[1] === 0x03 ? 2 : 0;
  return word(data, start) === PPP_IP ? start + 2 : -1;
}

/** By link type: the offset of the network header, -1 if it is not IPv4's. */
const OFFSETS: Readonly<Record<number, (data: Uint8Array) => number>> = {
  // NULL, EN10MB, SLIP, PPP, RAW (in files), LOOP, SLL, PFLOG, IPV4, SLL2.
  0: () => 4,
  1: (data) => behindType(data, 12),
  8: () => 16,
  9: behindPpp,
  101: () => 0,
  108: () => 4,
  113: (data) => behindType(data, 14),
  117: (data) => ((data[0] ?? 0) + 3) & ~3,
  228: () => 0,
  276: (data) => (word(data, 0) === ETHERTYPE_IP ? 20 : -1),
};

/** The IPv4 packet in a captured one, as much of it as was captured and belongs to it; undefined if it has none that is well formed. */
export function ipPart(data: Uint8Array, linkType: number): Uint8Array | undefined {
  const at = OFFSETS[linkType]?.(data) ?? -1;
  const first = at < 0 ? undefined : data[at];
  if (first === undefined || first >>> 4 !== 4) return undefined;
  const header = (first & 15) << 2;
  const length = word(data, at + 2);
  const isWhole = header >= 20 && length >= header && at + header <= data.length;
  return isWhole ? data.subarray(at, Math.min(at + length, data.length)) : undefined;
}
