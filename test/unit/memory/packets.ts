/**
 * Packets for the tests of chains: built buffer by buffer, so that every shape occurs (small and cluster buffers, shared clusters,
 * empty buffers, odd lengths), beside the same bytes in a plain array.
 */
import fc from 'fast-check';
import { u8 } from '../../../stack/memory/memory.ts';
import {
  M_PKTHDR,
  mGetCluster,
  mGetHeader,
  mShareCluster,
  mbuf,
  mbufReports,
  ownerTag,
} from '../../../stack/memory/mbuf.ts';
import { chainLength, mToBytes } from '../../../stack/memory/mbuf-chain.ts';

export const owner = ownerTag('test');

/** One buffer of a packet. */
export interface Piece {
  readonly kind: 'small' | 'cluster' | 'shared';
  readonly lead: number;
  readonly bytes: Uint8Array;
}

/** A packet and the buffers that hold on to clusters it shares. */
export interface Built {
  readonly m: number;
  readonly sharers: readonly number[];
  readonly bytes: Uint8Array;
}

const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record({
    kind: fc.constant('small' as const),
    lead: fc.nat(40),
    bytes: fc.uint8Array({ maxLength: 150 }),
  }),
  fc.record({
    kind: fc.constantFrom('cluster' as const, 'shared' as const),
    lead: fc.nat(100),
    bytes: fc.uint8Array({ maxLength: 300 }),
  }),
);

/** Any packet of one to five buffers. */
export const anyPacket: fc.Arbitrary<readonly Piece[]> = fc.array(piece, { minLength: 1, maxLength: 5 });

function buildPiece({ kind, lead, bytes }: Piece, sharers: number[]): number {
  const m = kind === 'small' ? mGetHeader(owner, lead) : mGetCluster(owner, lead);
  const view = mbuf(m);
  u8.set(bytes, view.data);
  view.len = bytes.length;
  if (kind === 'shared') {
    const sharer = mGetHeader(owner, 0);
    mShareCluster(view, mbuf(sharer), view.data, view.len);
    sharers.push(sharer);
  }
  return m;
}

/** Builds the packet that `pieces` describe. */
export function build(pieces: readonly Piece[]): Built {
  const sharers: number[] = [];
  const parts = pieces.map((one) => buildPiece(one, sharers));
  const bytes = Uint8Array.from(pieces.flatMap((one) => [...one.bytes]));
  parts.forEach((m, i) => {
    const view = mbuf(m);
    view.next = parts[i + 1] ?? 0;
    view.flags = i === 0 ? M_PKTHDR : 0;
    view.pktLen = i === 0 ? bytes.length : 0;
  });
  return { m: parts[0]!, sharers, bytes };
}

/** The bytes of a chain. */
export function bytesOf(m: number): Uint8Array {
  const bytes = new Uint8Array(chainLength(m));
  mToBytes(m, bytes, bytes.length);
  return bytes;
}

/** What the packets that still share clusters with `built` show, one after another. */
export function sharedBytes(built: Built): Uint8Array[] {
  return built.sharers.map(bytesOf);
}

/** Mbufs and clusters in use. */
export function buffersInUse(): number[] {
  return mbufReports().map((report) => report.inUse);
}
