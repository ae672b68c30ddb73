/**
 * Challenge acknowledgements (RFC 5961): the answer to a reset, SYN or acknowledgement that a blind attacker could have sent; limited per stack (§7).
 */
import { now, SECOND } from '../runtime/clock.ts';
import { count, stacks } from '../net/stack.ts';
import { STAT } from '../net/statistics.ts';
import { tcpOutput } from './tcp-output.ts';
import { TF_ACKNOW } from './tcpcb.ts';
import type { Tcpcb } from './tcpcb.ts';

const PER_SECOND = 100;

/** Acknowledges what has been received: a peer that really lost the connection answers with a reset that fits exactly. */
export function challengeAck(tp: Tcpcb): void {
  const stack = stacks.get(tp.stack);
  const time = now();
  if (time - stack.challengeSecond >= SECOND) {
    stack.challengeSecond = time;
    stack.challengeCount = 0;
  }
  if (++stack.challengeCount > PER_SECOND) return;
  count(tp.stack, STAT.tcpChallengeAcks);
  tp.flags |= TF_ACKNOW;
  tcpOutput(tp);
}
