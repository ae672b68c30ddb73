/**
 * synproxy state (pf.conf(5), "SYN PROXY"): PF answers the handshake of a client itself and begins one with the server only when the client's is complete. From then on the sequence
 * numbers of both sides are shifted, since each was promised others than the real ones.
 */
import { be16, be32 } from '../../memory/memory.ts';
import { random32 } from '../../runtime/random.ts';
import { PFIL_IN } from '../../net/pfil.ts';
import { stackStruct } from '../../net/stack.ts';
import { TCP_ACK, TCP_SEQ, TCP_WIN, TH_ACK, TH_SYN, pd } from './packet.ts';
import { peerOf } from './records.ts';
import type { Peer, State } from './records.ts';
import { sendLater, sendSegment } from './respond.ts';
import { PROXY, TCPS } from './tcp-state.ts';

const RANDOM = stackStruct.offsets.random;

/** A random sequence number that is not 0. */
export function randomSequence(): number {
  return random32(pd.stack.ptr + RANDOM) >>> 0 || 1;
}

/** Both ends of a state as the client sees them, or as the server does. */
interface Ends {
  readonly client: number;
  readonly clientPort: number;
  readonly server: number;
  readonly serverPort: number;
}

function seenByClient(state: State): Ends {
  const inward = state.direction === PFIL_IN;
  return {
    client: inward ? state.externalAddress : state.lanAddress,
    clientPort: inward ? state.externalPort : state.lanPort,
    server: inward ? state.gatewayAddress : state.externalAddress,
    serverPort: inward ? state.gatewayPort : state.externalPort,
  };
}

function seenByServer(state: State): Ends {
  const inward = state.direction === PFIL_IN;
  return {
    client: inward ? state.externalAddress : state.gatewayAddress,
    clientPort: inward ? state.externalPort : state.gatewayPort,
    server: inward ? state.lanAddress : state.externalAddress,
    serverPort: inward ? state.lanPort : state.externalPort,
  };
}

const toClient = ({ client, clientPort, server, serverPort }: Ends) => ({
  source: server,
  destination: client,
  sourcePort: serverPort,
  destinationPort: clientPort,
});
const toServer = ({ client, clientPort, server, serverPort }: Ends) => ({
  source: client,
  destination: server,
  sourcePort: clientPort,
  destinationPort: serverPort,
});

/** Answers the client's SYN: its state waits for the acknowledgement. */
export function answerSyn(state: State): void {
  const src = peerOf(state, true);
  sendSegment({
    ...toClient(seenByClient(state)),
    seq: src.high,
    ack: (src.low + 1) >>> 0,
    flags: TH_SYN | TH_ACK,
    window: 0,
    mss: src.mss,
  });
}

/** True if the segment is what the client acknowledges the handshake with. */
function completesHandshake(src: Peer): boolean {
  const t = pd.transport;
  return (
    (pd.flags & (TH_SYN | TH_ACK)) === TH_ACK &&
    be32(t + TCP_ACK) >>> 0 === (src.high + 1) >>> 0 &&
    be32(t + TCP_SEQ) >>> 0 === (src.low + 1) >>> 0
  );
}

/** Begins the handshake with the server, in the client's name. */
function askServer(state: State, src: Peer, dst: Peer): void {
  src.window = Math.max(be16(pd.transport + TCP_WIN), 1);
  if (dst.high === 1) dst.high = randomSequence();
  sendLater({
    ...toServer(seenByServer(state)),
    seq: dst.high,
    ack: 0,
    flags: TH_SYN,
    window: 0,
    mss: src.mss,
  });
}

/** The server has answered: both sides are told, and are connected. */
function joinSides(state: State, src: Peer, dst: Peer): void {
  const t = pd.transport;
  dst.window = Math.max(be16(t + TCP_WIN), 1);
  dst.low = be32(t + TCP_SEQ) >>> 0;
  sendLater({
    ...toServer(seenByServer(state)),
    seq: be32(t + TCP_ACK) >>> 0,
    ack: (dst.low + 1) >>> 0,
    flags: TH_ACK,
    window: src.window,
  });
  sendSegment({
    ...toClient(seenByClient(state)),
    seq: (src.high + 1) >>> 0,
    ack: (src.low + 1) >>> 0,
    flags: TH_ACK,
    window: dst.window,
  });
  src.diff = (dst.high - src.low) >>> 0;
  dst.diff = (src.high - dst.low) >>> 0;
  src.high = (src.low + dst.window) >>> 0;
  dst.high = (dst.low + src.window) >>> 0;
  src.scale = 0;
  dst.scale = 0;
  src.state = TCPS.established;
  dst.state = TCPS.established;
}

/** Carries on the handshakes of a state that PF stands between. True: the segment is used up. */
export function continueProxy(state: State, connectionMade: (state: State) => boolean): boolean {
  const src = peerOf(state, true);
  const dst = peerOf(state, false);
  const forward = pd.direction === state.direction;
  if (src.state === PROXY.src) {
    if (!forward) return true;
    if ((pd.flags & TH_SYN) !== 0) {
      if (be32(pd.transport + TCP_SEQ) >>> 0 === src.low) answerSyn(state);
      return true;
    }
    if (!completesHandshake(src)) return true;
    if (state.source !== 0 && connectionMade(state)) return true;
    src.state = PROXY.dst;
  }
  if (src.state !== PROXY.dst) return false;
  if (forward) {
    if (completesHandshake(src)) askServer(state, src, dst);
    return true;
  }
  const answer = (pd.flags & (TH_SYN | TH_ACK)) === (TH_SYN | TH_ACK);
  if (answer && be32(pd.transport + TCP_ACK) >>> 0 === (dst.high + 1) >>> 0) joinSides(state, src, dst);
  return true;
}
