/**
 * pflog: packets that a rule logs appear on the interface pflog0 with a header that says what became of them (pflog(4)): 64 bytes, then the packet. Programs listen to
 * it with tcpdump; nothing is ever sent on it.
 */
import { putBe32, putText, u8 } from '../../memory/memory.ts';
import { mFree, mbuf, ownerTag } from '../../memory/mbuf.ts';
import { mPrepend, mSharePacket } from '../../memory/mbuf-chain.ts';
import { now } from '../../runtime/clock.ts';
import { ERRNO } from '../../runtime/messages/errno.ts';
import { registerCloner } from '../../net/cloner.ts';
import { DRIVER, IFT_PFLOG, ifAttach, ifnets, interfaceName, registerDriver } from '../../net/ifnet.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import { DLT_PFLOG } from '../../net/bpf/link-type.ts';
import { isLoaded } from '../../net/module-record.ts';
import { PFIL_IN } from '../../net/pfil.ts';
import type { Stack } from '../../net/stack.ts';
import { INBOUND, tapPacket } from '../../net/tap.ts';
import { IFF } from '../../runtime/messages/control.ts';
import { outcome } from './outcome.ts';
import { pd } from './packet.ts';
import { IFNAME } from './records.ts';
import { anchorOfRecord } from './rule-index.ts';

/** Length of the header, and what its first byte says: all but the padding. */
export const PFLOG_HEADER = 64;
const LENGTH_FIELD = 61;
const AF_INET = 2;
const ACTION_PASS = 0;
const ACTION_DROP = 1;
const RULESET_NAME = 16;
const NO_RULE = 0xffff_ffff;
const MTU = 33_208;
const OWNER = ownerTag('module');

function headerBytes(p: number): void {
  const { rule, anchor } = outcome;
  u8.fill(0, p, p + PFLOG_HEADER);
  u8[p] = LENGTH_FIELD;
  u8[p + 1] = AF_INET;
  u8[p + 2] = outcome.pass ? ACTION_PASS : ACTION_DROP;
  u8[p + 3] = outcome.reason;
  putText(p + 4, IFNAME, interfaceName(pd.ifp));
  const inAnchor = anchor !== undefined && rule !== undefined;
  if (inAnchor) putText(p + 20, RULESET_NAME, anchorOfRecord(rule.record.ptr) ?? '');
  putBe32(p + 36, (inAnchor ? anchor.number : (rule?.number ?? NO_RULE)) | 0);
  putBe32(p + 40, inAnchor ? rule.number : NO_RULE | 0);
  // User and process: none of ours has one.
  putBe32(p + 44, NO_RULE | 0);
  putBe32(p + 48, NO_RULE | 0);
  putBe32(p + 52, 0);
  putBe32(p + 56, 0);
  u8[p + 60] = pd.direction === PFIL_IN ? 1 : 2;
}

/** Shows the packet at hand to those who listen on pflog0. */
export function logPacket(): void {
  const ptr = pd.pf.pflog;
  if (ptr === 0) return;
  const ifp = ifnets.get(ptr);
  if (ifp.taps === 0 || (ifp.flags & IFF.UP) === 0) return;
  const copy = mSharePacket(OWNER, pd.m);
  const m = copy === 0 ? 0 : mPrepend(copy, PFLOG_HEADER);
  if (m === 0) return;
  headerBytes(mbuf(m).data);
  ifp.ipackets++;
  ifp.ibytes += mbuf(m).pktLen;
  tapPacket(ifp.taps, m, INBOUND, now());
  mFree(m);
}

registerDriver(DRIVER.pflog, {
  name: 'pflog',
  description: 'packets that PF logs',
  init(ifp) {
    ifp.flags |= IFF.RUNNING;
    return 0;
  },
  stop(ifp) {
    ifp.flags &= ~IFF.RUNNING;
  },
  start: () => undefined,
  ioctl: () => 0,
  process: () => true,
  enable: () => false,
  detach: () => undefined,
  carrier: () => true,
  statistics: () => ({}),
  configuration: () => ({}),
  output(_ifp, m) {
    mFree(m);
    return ERRNO.ENETDOWN;
  },
});

/** Makes a log interface; 0 when there is no room. */
export function createLog(stack: Stack, name: string): number {
  // Listening to it needs no further step.
  const flags = IFF.UP | IFF.RUNNING;
  return ifAttach(stack, {
    name,
    type: IFT_PFLOG,
    driver: DRIVER.pflog,
    flags,
    mtu: MTU,
    mtuMax: MTU,
    dlt: DLT_PFLOG,
  });
}

/** True for a log interface. */
export function isLog(ifp: Ifnet): boolean {
  return ifp.driver === DRIVER.pflog;
}

registerCloner({
  name: 'pflog',
  driver: DRIVER.pflog,
  missing: ({ ptr }) =>
    isLoaded(ptr, 'lsm-pf-v4') || isLoaded(ptr, 'lsm-pf-v6')
      ? undefined
      : 'lsm-pf-v4.so is not loaded, use: mount -T io-pkt lsm-pf-v4.so',
  create: createLog,
});
