/**
 * What the timers of a connection do: retransmission (RFC 6298 §5), persist (RFC 9293 §3.8.6.1), establishment and keepalive (RFC 1122 §4.2.3.6),
 * 2 MSL, delayed acknowledgement.
 */
import { now } from '../runtime/clock.ts';
import { ERRNO } from '../runtime/messages/errno.ts';
import { SO_KEEPALIVE } from '../runtime/messages/request.ts';
import { CALLOUT, setCalloutHandler } from '../net/callouts.ts';
import { SS_NOFDREF, sockets } from '../net/socket.ts';
import { count } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { inpcbs } from './inpcb.ts';
import { congestionOf } from './tcp-congestion.ts';
import { TH_ACK } from './tcp-header.ts';
import { setPersist, tcpOutput, tcpProbe } from './tcp-output.ts';
import { MAX_REXMIT, currentRto, stopTiming } from './tcp-rtt.ts';
import { sendSegment } from './tcp-segment.ts';
import { keepIdle, keepInterval, keepProbes, tcpClose, tcpDrop } from './tcp-state.ts';
import {
  TCPS_ESTABLISHED,
  TCPS_TIME_WAIT,
  TF_ACKNOW,
  TF_DELACK,
  TF_RECOVERY,
  TIMER_2MSL,
  TIMER_DELACK,
  TIMER_KEEP,
  TIMER_PERSIST,
  TIMER_REXMIT,
  setTimer,
  tcpcbs,
  timerDue,
} from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

/** After so many time-outs in a row another route is looked for (RFC 1122 §4.2.3.5, R1). */
const LOOK_FOR_ROUTE = 3;

function retransmit(tp: Tcpcb): void {
  if (tp.sndUna === tp.sndMax) {
    // Nothing is outstanding: a segment could not leave this host at all.
    tcpOutput(tp);
    return;
  }
  if (++tp.rexmitCount > MAX_REXMIT) {
    count(tp.stack, STAT.tcpTimeoutDrop);
    tcpDrop(tp, tp.softError === 0 ? ERRNO.ETIMEDOUT : tp.softError);
    return;
  }
  count(tp.stack, STAT.tcpRexmitTimeout);
  if (tp.state >= TCPS_ESTABLISHED) congestionOf(tp).timedOut(tp, tp.rexmitCount === 1);
  tp.rexmitShift++;
  if (tp.rexmitCount === LOOK_FOR_ROUTE) inpcbs.get(tp.inpcb).route = 0;
  tp.flags &= ~TF_RECOVERY;
  tp.dupAcks = 0;
  tp.recover = tp.sndMax;
  stopTiming(tp);
  setTimer(tp, TIMER_REXMIT, now() + currentRto(tp));
  tp.sndNxt = tp.sndUna;
  tcpOutput(tp);
}

/** The window is still closed: asks whether it really is. A peer that has gone silent, or that nobody waits for, is given up. */
function persist(tp: Tcpcb): void {
  count(tp.stack, STAT.tcpPersistTimeout);
  const silent = now() - tp.lastReceived > 2 * currentRto(tp);
  const orphan = (sockets.get(tp.socket).state & SS_NOFDREF) !== 0;
  if (tp.rexmitCount >= MAX_REXMIT && (silent || orphan)) {
    count(tp.stack, STAT.tcpPersistDrop);
    tcpDrop(tp, tp.softError === 0 ? ERRNO.ETIMEDOUT : tp.softError);
    return;
  }
  if (tp.rexmitCount < MAX_REXMIT) tp.rexmitCount++;
  if (tp.rexmitShift < MAX_REXMIT) tp.rexmitShift++;
  setPersist(tp);
  tcpProbe(tp);
}

function keep(tp: Tcpcb): void {
  if (tp.state < TCPS_ESTABLISHED) {
    count(tp.stack, STAT.tcpKeepTimeout);
    tcpDrop(tp, tp.softError === 0 ? ERRNO.ETIMEDOUT : tp.softError);
    return;
  }
  if ((sockets.get(tp.socket).options & SO_KEEPALIVE) === 0 || tp.state === TCPS_TIME_WAIT) return;
  const idleUntil = tp.lastReceived + keepIdle(tp);
  if (tp.keepCount === 0 && idleUntil > now()) {
    setTimer(tp, TIMER_KEEP, idleUntil);
    return;
  }
  count(tp.stack, STAT.tcpKeepTimeout);
  if (tp.keepCount >= keepProbes(tp)) {
    count(tp.stack, STAT.tcpKeepDrops);
    tcpDrop(tp, ERRNO.ETIMEDOUT);
    return;
  }
  tp.keepCount++;
  probe(tp);
}

/** A segment from before the window: a living peer answers with what it expects (RFC 1122 §4.2.3.6). */
function probe(tp: Tcpcb): void {
  count(tp.stack, STAT.tcpKeepProbes);
  sendSegment(tp, sockets.get(tp.socket), (tp.sndUna - 1) | 0, 0, 0, TH_ACK);
  setTimer(tp, TIMER_KEEP, now() + keepInterval(tp));
}

function delayedAck(tp: Tcpcb): void {
  if ((tp.flags & TF_DELACK) === 0) return;
  count(tp.stack, STAT.tcpDelayedAcks);
  tp.flags |= TF_ACKNOW;
  tcpOutput(tp);
}

function handle(timer: number, callout: number, work: (tp: Tcpcb) => void): void {
  setCalloutHandler(callout, (ptr) => {
    const tp = tcpcbs.get(ptr);
    if (timerDue(tp, timer)) work(tp);
  });
}

/** Tells the callouts of this thread what TCP's timers do. */
export function installTimers(): void {
  handle(TIMER_REXMIT, CALLOUT.tcpRexmit, retransmit);
  handle(TIMER_PERSIST, CALLOUT.tcpPersist, persist);
  handle(TIMER_KEEP, CALLOUT.tcpKeep, keep);
  handle(TIMER_2MSL, CALLOUT.tcp2msl, tcpClose);
  handle(TIMER_DELACK, CALLOUT.tcpDelayedAck, delayedAck);
}
