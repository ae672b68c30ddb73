/**
 * Filtering of what a bridge forwards (`brconfig ipf`; bridge(4), pfil(9)): IPv4 packets in its frames are shown to the stack's hooks as coming in by one member and going out
 * by another. Hooks run in the stack context, so such frames wait for it; all others are bridged in the thread that received them.
 */
import { be16, be32, putBe16, putBe32, u8 } from '../memory/memory.ts';
import { mFree, mbuf } from '../memory/mbuf.ts';
import { mPrepend, mPullup, mTrimFront } from '../memory/mbuf-chain.ts';
import { ETHERTYPE_IP, ETHER_HEADER } from './ethernet.ts';
import type { Ifnet } from './ifnet.ts';
import { PFIL_HEAD, pfilRun } from './pfil.ts';
import { stacks } from './stack.ts';

const IP_HEADER = 20;
const IP_LENGTH = 2;

/** True for the frames that hooks are to see. */
export function carriesIp(m: number): boolean {
  return be16(mbuf(m).data + 12) === ETHERTYPE_IP;
}

/** The packet of a frame whose header has been cut off, its IP header contiguous; 0 if it is none that is well formed: it is freed then. */
function packetOf(frame: number): number {
  const m = mPullup(frame, IP_HEADER);
  if (m === 0) return 0;
  const { data, pktLen } = mbuf(m);
  const header = (u8[data]! & 15) << 2;
  const length = be16(data + IP_LENGTH);
  if (u8[data]! >>> 4 === 4 && header >= IP_HEADER && length >= header && length <= pktLen)
    return mPullup(m, header);
  mFree(m);
  return 0;
}

/** Shows the packet in a frame to the hooks of the stack of `ifp`. Returns the frame, or 0 when it is gone. In the stack context. */
export function filterFrame(frame: number, ifp: Ifnet, direction: number): number {
  const { data } = mbuf(frame);
  // PF may hand back another buffer: the header is kept, as words, and put in front of that.
  const first = be32(data);
  const second = be32(data + 4);
  const third = be32(data + 8);
  const type = be16(data + 12);
  mTrimFront(frame, ETHER_HEADER);
  const packet = packetOf(frame);
  if (packet === 0) {
    ifp.ierrors++;
    return 0;
  }
  const passed = pfilRun(stacks.get(ifp.stack), PFIL_HEAD.inet, packet, ifp, direction);
  const whole = passed === 0 ? 0 : mPrepend(passed, ETHER_HEADER);
  if (whole === 0) return 0;
  const front = mbuf(whole).data;
  putBe32(front, first);
  putBe32(front + 4, second);
  putBe32(front + 8, third);
  putBe16(front + 12, type);
  return whole;
}
