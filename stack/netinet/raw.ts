/**
 * Raw IPv4 sockets (ip(4), icmp(4)): receive whole packets of one protocol with their IP header; send payload, or with IP_HDRINCL the header as well.
 */
import { u8 } from '../memory/memory.ts';
import { mFree, mbuf, ownerTag } from '../memory/mbuf.ts';
import { mSharePacket } from '../memory/mbuf-chain.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { IPPROTO_ICMP, IPPROTO_IP, IPPROTO_RAW, IP_HDRINCL } from '../runtime/messages/request.ts';
import { interfaceWithAddress } from '../net/ifnet.ts';
import { registerProtocol } from '../net/protosw.ts';
import type { Protocol } from '../net/protosw.ts';
import { STATION } from '../net/journey.ts';
import { rcvAppendRecord } from '../net/sockbuf.ts';
import { soFree, soIsConnected, soIsDisconnected, soWake, sockets } from '../net/socket.ts';
import type { Socket } from '../net/socket.ts';
import { stacks } from '../net/stack.ts';
import {
  getIpOption,
  inpcbAttach,
  inpcbFree,
  inpcbs,
  setIpOption,
  sourceFor,
  stationAtInpcb,
} from './inpcb.ts';
import type { Inpcb } from './inpcb.ts';
import { IP_DST, IP_PROTO, IP_SRC, addressAt } from './ip.ts';
import { ipOutput, ipOutputRaw } from './ip-output.ts';

const RECEIVE = ownerTag('socket receive');
/** Room for the largest packet and a little more. */
const BUFFER = 2 * 65_536;
/** In `bound` of the control block: the header comes with the data. */
const HEADER_INCLUDED = 1;

/** Gives copies of a packet (beginning with its IP header) to all raw sockets that want it; returns how many. The packet stays with the caller. */
export function rawDeliver(stack: number, m: number): number {
  let delivered = 0;
  let ptr = stacks.get(stack).rawBound;
  if (ptr === 0) return 0;
  const p = mbuf(m).data;
  const protocol = u8[p + IP_PROTO]!;
  const source = addressAt(p + IP_SRC);
  const destination = addressAt(p + IP_DST);
  while (ptr !== 0) {
    const inp = inpcbs.get(ptr);
    ptr = inp.next;
    const so = sockets.get(inp.socket);
    if (inp.localPort !== 0 && inp.localPort !== protocol) continue;
    if ((inp.local !== 0 && inp.local !== destination) || (inp.foreign !== 0 && inp.foreign !== source))
      continue;
    const copy = mSharePacket(RECEIVE, m);
    if (copy === 0) continue;
    delivered++;
    if (!rcvAppendRecord(so, copy, source, 0)) {
      mFree(copy);
      continue;
    }
    stationAtInpcb(copy, STATION.socket, inp, mbuf(copy).pktLen);
    soWake(so);
  }
  return delivered;
}

function inpcbOf(so: Socket): Inpcb {
  return inpcbs.get(so.pcb);
}

/** `protocol` is the number on the wire, 0 for all; it is kept in localPort. */
function attach(so: Socket, protocol: number): number {
  const ptr = inpcbAttach(so);
  if (ptr === 0) return ERRNO.ENOBUFS;
  const inp = inpcbs.get(ptr);
  inp.localPort = protocol;
  if (protocol === IPPROTO_RAW) inp.bound = HEADER_INCLUDED;
  const stack = stacks.get(so.stack);
  inp.next = stack.rawBound;
  stack.rawBound = ptr;
  so.rcvHiwat = BUFFER;
  so.sndHiwat = BUFFER;
  return 0;
}

function detach(so: Socket): void {
  const inp = inpcbOf(so);
  const stack = stacks.get(so.stack);
  if (stack.rawBound === inp.ptr) stack.rawBound = inp.next;
  else {
    let at = inpcbs.get(stack.rawBound);
    while (at.next !== inp.ptr) at = inpcbs.get(at.next);
    at.next = inp.next;
  }
  inpcbFree(inp);
  soIsDisconnected(so);
  soFree(so);
}

function sendTo(so: Socket, m: number, to: boolean, address: number): number {
  const inp = inpcbOf(so);
  const destination = to ? address : inp.foreign;
  if (destination === 0) {
    mFree(m);
    return to ? ERRNO.EHOSTUNREACH : ERRNO.ENOTCONN;
  }
  const source = inp.local !== 0 ? inp.local : sourceFor(stacks.get(so.stack), destination);
  if (inp.bound === HEADER_INCLUDED) return ipOutputRaw(so.stack, m, source);
  return ipOutput(so.stack, m, source, destination, inp.localPort, inp.ttl, inp.tos, 0, 0);
}

function setOption(so: Socket, level: number, option: number, value: number): number {
  const inp = inpcbOf(so);
  if (level !== IPPROTO_IP) return ERRNO.ENOPROTOOPT;
  if (option === IP_HDRINCL) {
    inp.bound = value !== 0 ? HEADER_INCLUDED : 0;
    return 0;
  }
  return setIpOption(inp, option, value);
}

function protocolNamed(name: 'icmp' | 'raw'): Protocol {
  return {
    name,
    attach,
    detach,
    bind(so, address) {
      if (address !== 0 && interfaceWithAddress(stacks.get(so.stack), address) === 0)
        return ERRNO.EADDRNOTAVAIL;
      inpcbOf(so).local = address;
      return 0;
    },
    listen: () => ERRNO.EOPNOTSUPP,
    connect(so, address) {
      inpcbOf(so).foreign = address;
      soIsConnected(so);
      return 0;
    },
    shutdown: () => 0,
    received: () => undefined,
    sendTo,
    abort: detach,
    setOption,
    getOption(so, level, option) {
      const inp = inpcbOf(so);
      if (level !== IPPROTO_IP) return undefined;
      if (option === IP_HDRINCL) return inp.bound === HEADER_INCLUDED ? 1 : 0;
      return getIpOption(inp, option);
    },
    names(so) {
      const inp = inpcbOf(so);
      return { local: inp.local, localPort: 0, foreign: inp.foreign, foreignPort: 0 };
    },
  };
}

/** Makes raw sockets available in this thread: one entry of the protocol switch for ICMP, one for every other protocol. */
export function installRaw(): void {
  registerProtocol(IPPROTO_ICMP, protocolNamed('icmp'));
  registerProtocol(IPPROTO_RAW, protocolNamed('raw'));
}
