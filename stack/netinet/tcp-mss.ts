/**
 * How long segments may be: the MTU towards the peer, its MSS option, and what path MTU discovery found (RFC 9293 §3.7.1, RFC 6691, RFC 1191).
 */
import { ifnets, interfaceWithAddress } from '../net/ifnet.ts';
import { routes } from '../net/route.ts';
import { stacks, sysctlValue } from '../net/stack.ts';
import { SYSCTL } from '../net/sysctl.ts';
import { inpcbRoute } from './inpcb.ts';
import type { Inpcb } from './inpcb.ts';
import { IP_HEADER } from './ip.ts';
import { TCP_HEADER } from './tcp-header.ts';
import { TIMESTAMP_BYTES } from './tcp-options.ts';
import { TF_TIMESTAMP } from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

const HEADERS = IP_HEADER + TCP_HEADER;
/** Least MTU of a path (RFC 791), and so least segment we agree to. */
const MIN_MSS = 68 - HEADERS;
/** Plateaus of RFC 1191 §7.1, for routers that do not say what would fit. */
const PLATEAUS = [32_000, 17_914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68];

/** Largest segment that the interface towards the peer takes whole. */
export function interfaceMss(inp: Inpcb): number {
  const stack = stacks.get(inp.stack);
  if (stack.loopback !== 0 && interfaceWithAddress(stack, inp.foreign) !== 0) {
    return ifnets.get(stack.loopback).mtu - HEADERS;
  }
  const route = inpcbRoute(inp, inp.foreign);
  if (route === 0) return sysctlValue(inp.stack, SYSCTL.tcpMssDefault);
  return Math.max(ifnets.get(routes.get(route).interface).mtu - HEADERS, MIN_MSS);
}

/** Sets the segment size; the options that every segment carries take their part of it. */
export function setMss(tp: Tcpcb, mss: number): void {
  tp.mss = mss;
  tp.segment = mss - ((tp.flags & TF_TIMESTAMP) === 0 ? 0 : TIMESTAMP_BYTES);
}

/** The peer's SYN came with this MSS option, 0 for none. */
export function negotiateMss(tp: Tcpcb, inp: Inpcb, offered: number): void {
  const theirs = offered === 0 ? sysctlValue(tp.stack, SYSCTL.tcpMssDefault) : Math.max(offered, MIN_MSS);
  setMss(tp, Math.min(theirs, interfaceMss(inp)));
}

/**
 * A packet of `length` bytes was too long for the path, which takes `mtu` (0: not told). True if segments are shorter now, so that sending again is worth it.
 */
export function lowerMss(tp: Tcpcb, mtu: number, length: number): boolean {
  const fits = mtu >= 68 ? mtu : (PLATEAUS.find((plateau) => plateau < length) ?? 68);
  const mss = Math.max(fits - HEADERS, MIN_MSS);
  if (mss >= tp.mss) return false;
  setMss(tp, mss);
  tp.cwnd = Math.max(tp.cwnd, tp.segment);
  return true;
}
