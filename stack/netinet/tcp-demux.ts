/**
 * Which connection a segment is for: the table of connections by both ends, and the listening sockets among the bound ports.
 */
import { hashFirst, hashInsert, hashRemove } from '../memory/hash.ts';
import { CONNECTED_BUCKETS, BOUND_BUCKETS, stackStruct } from '../net/stack.ts';
import { TCP_TABLE, connectionHash, inpcbStruct, inpcbs } from './inpcb.ts';
import type { Inpcb } from './inpcb.ts';
import { TCPS_LISTEN, tcpcbs } from './tcpcb.ts';

const TABLE = stackStruct.offsets.tcpConnected;
const LINK = inpcbStruct.offsets.nextConnected;

/** The control block (inpcb) of a connection, 0 if there is none. */
export function lookupConnection(
  stack: number,
  local: number,
  localPort: number,
  foreign: number,
  foreignPort: number,
): number {
  const hash = connectionHash(local, localPort, foreign, foreignPort);
  for (let ptr = hashFirst(stack + TABLE, CONNECTED_BUCKETS, hash); ptr !== 0;) {
    const inp = inpcbs.get(ptr);
    if (
      inp.foreignPort === foreignPort &&
      inp.localPort === localPort &&
      inp.foreign === foreign &&
      inp.local === local
    ) {
      return ptr;
    }
    ptr = inp.nextConnected;
  }
  return 0;
}

/** Enters a block whose two ends are set into the table of connections. */
export function enterConnection(inp: Inpcb): void {
  inp.connected = 1;
  const hash = connectionHash(inp.local, inp.localPort, inp.foreign, inp.foreignPort);
  hashInsert(inp.stack + TABLE, CONNECTED_BUCKETS, hash, inp.ptr, LINK);
}

export function leaveConnection(inp: Inpcb): void {
  if (inp.connected === 0) return;
  inp.connected = 0;
  const hash = connectionHash(inp.local, inp.localPort, inp.foreign, inp.foreignPort);
  hashRemove(inp.stack + TABLE, CONNECTED_BUCKETS, hash, inp.ptr, LINK);
}

/** The block of the socket that listens on a port of an address: bound to it, or to any. 0 if there is none. */
export function lookupListener(stack: number, local: number, localPort: number): number {
  let any = 0;
  for (let ptr = hashFirst(stack + TCP_TABLE, BOUND_BUCKETS, localPort); ptr !== 0;) {
    const inp = inpcbs.get(ptr);
    if (
      inp.localPort === localPort &&
      inp.connected === 0 &&
      (inp.local === local || inp.local === 0) &&
      tcpcbs.get(inp.ppcb).state === TCPS_LISTEN
    ) {
      if (inp.local !== 0) return ptr;
      any = ptr;
    }
    ptr = inp.next;
  }
  return any;
}
