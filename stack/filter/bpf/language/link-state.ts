/**
 * Where the headers of a packet begin, as far as the expression read so far says: at first as the link type has it, then shifted by `vlan`, `mpls`, `pppoes` and the tunnel
 * words for everything behind them.
 */
import type { Value } from './value.ts';

/** Link types by their DLT numbers, those of capture files. */
export const DLT_NULL = 0;
export const DLT_EN10MB = 1;
export const DLT_SLIP = 8;
export const DLT_PPP = 9;
export const DLT_RAW = 12;
export const DLT_PPP_ETHER = 51;
export const DLT_IEEE802_11 = 105;
export const DLT_LOOP = 108;
export const DLT_PFLOG = 117;
export const DLT_IPV4 = 228;
export const DLT_IPV6 = 229;

/** The link types whose packets filters can be compiled for, with their names. */
export const FILTER_LINK_TYPES: ReadonlyMap<number, string> = new Map([
  [DLT_NULL, 'NULL'],
  [DLT_EN10MB, 'EN10MB'],
  [DLT_SLIP, 'SLIP'],
  [DLT_PPP, 'PPP'],
  [DLT_RAW, 'RAW'],
  [DLT_PPP_ETHER, 'PPP_ETHER'],
  [DLT_IEEE802_11, 'IEEE802_11'],
  [DLT_LOOP, 'LOOP'],
  [DLT_PFLOG, 'PFLOG'],
  [DLT_IPV4, 'IPV4'],
  [DLT_IPV6, 'IPV6'],
]);

/** An offset in the packet: a constant, and what has to be computed from the packet if headers vary in length. */
export interface Place {
  readonly base: Value | undefined;
  readonly offset: number;
}

export interface LinkState {
  readonly linkType: number;
  readonly header: Place;
  /** The field that says what follows the link-layer header; undefined if there is none. */
  readonly type: Place | undefined;
  /** What follows the link-layer header. */
  readonly payload: Place;
  /** The network layer, counted from the payload: behind LLC and SNAP, or labels of MPLS. */
  readonly network: number;
  /** The network layer behind LLC without SNAP, as OSI has it. */
  readonly networkNoSnap: number;
  /** Labels of MPLS so far. */
  readonly labels: number;
  /** Whether the headers are those within a tunnel. */
  readonly tunnel: 'none' | 'geneve' | 'vxlan';
}

/** A place further on. */
export function after(place: Place, bytes: number): Place {
  return { base: place.base, offset: place.offset + bytes };
}

/** A place at the beginning of the packet. */
export function at(offset: number): Place {
  return { base: undefined, offset };
}

/** Where what follows the link-layer header begins, and where the type field is, for link types with fixed headers. */
const FIXED: ReadonlyMap<
  number,
  { readonly type?: number; readonly payload: number; readonly networkNoSnap?: number }
> = new Map([
  [DLT_NULL, { type: 0, payload: 4 }],
  [DLT_EN10MB, { type: 12, payload: 14, networkNoSnap: 3 }],
  [DLT_SLIP, { payload: 16 }],
  [DLT_PPP, { type: 2, payload: 4 }],
  [DLT_RAW, { payload: 0 }],
  [DLT_PPP_ETHER, { type: 6, payload: 8 }],
  [DLT_LOOP, { type: 0, payload: 4 }],
  [DLT_IPV4, { payload: 0 }],
  [DLT_IPV6, { payload: 0 }],
]);

/**
 * The state before anything was read.
 *
 * @param variable gives the length of a link-layer header that varies, once for the expression.
 */
export function initialState(linkType: number, variable: () => Value): LinkState {
  const common = {
    linkType,
    header: at(0),
    network: 0,
    networkNoSnap: 0,
    labels: 0,
    tunnel: 'none',
  } as const;
  if (linkType === DLT_PFLOG) return { ...common, type: undefined, payload: { base: variable(), offset: 0 } };
  if (linkType === DLT_IEEE802_11) {
    // LLC and SNAP stand between the header and the network layer.
    const payload = { base: variable(), offset: 0 };
    return { ...common, type: after(payload, 6), payload, network: 8, networkNoSnap: 3 };
  }
  const { type, payload, networkNoSnap = 0 } = FIXED.get(linkType) ?? { payload: 0 };
  return { ...common, type: type === undefined ? undefined : at(type), payload: at(payload), networkNoSnap };
}

/** The name of a link type as messages write it. */
export function linkTypeTitle(linkType: number): string {
  return `DLT_${FILTER_LINK_TYPES.get(linkType) ?? String(linkType)}`;
}
