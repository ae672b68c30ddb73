/** A host on the wire, as small as the Linux kernel accepts it: answers ARP and pings, and counts UDP datagrams. It sits where a link would. */
import { M_PKTHDR, mFree, mbuf } from '../../../stack/memory/mbuf.ts';
import { be16, be32, putBe16, putBe32, u8 } from '../../../stack/memory/memory.ts';
import { dequeueAll, nextRecord } from '../../../stack/memory/queue.ts';
import { chainLength } from '../../../stack/memory/mbuf-chain.ts';
import { HANDLER, KIND, newSource, setSourceHandler } from '../../../stack/runtime/source.ts';
import { deliver, plugOut, plugs } from '../../../stack/net/plug.ts';

const MAC = [0x02, 0, 0, 0, 0, 0x01];
const ETHERTYPE_ARP = 0x0806;
const ETHERTYPE_IP = 0x0800;
const ICMP_ECHO = 8;

export interface WireHost {
  /** Datagrams to the discard port so far, and the sequence number (first four bytes) of the last one. */
  datagrams: number;
  lastSequence: number;
  /** Datagrams whose sequence number was not above that of the datagram before. */
  outOfOrder: number;
  /** Event source of the link it sits on. */
  readonly link: number;
}

/** Makes the frame at `p` one from us to whoever sent it. */
function turnAround(p: number): void {
  u8.copyWithin(p, p + 6, p + 12);
  u8.set(MAC, p + 6);
}

function answerArp(p: number, address: number): boolean {
  if (be16(p + 20) !== 1 || be32(p + 38) >>> 0 !== address) return false;
  turnAround(p);
  putBe16(p + 20, 2);
  u8.copyWithin(p + 32, p + 22, p + 32);
  u8.set(MAC, p + 22);
  putBe32(p + 28, address);
  return true;
}

function answerPing(p: number): boolean {
  if (u8[p + 23] !== 1 || u8[p + 34] !== ICMP_ECHO) return false;
  turnAround(p);
  u8.copyWithin(p + 42, p + 26, p + 30);
  const destination = be32(p + 30);
  putBe32(p + 30, be32(p + 26));
  putBe32(p + 26, destination);
  u8[p + 34] = 0;
  // The type went from 8 to 0, so the one's complement sum grows by 0x0800 (RFC 1624).
  const sum = be16(p + 36) + 0x0800;
  putBe16(p + 36, (sum & 0xffff) + (sum >>> 16));
  return true;
}

/** Puts a host with this IPv4 address (host order) on the link of `plug`. */
export function putHostOnWire(plugAddress: number, address: number): WireHost {
  const plug = plugs.get(plugAddress);
  const link = newSource({
    kind: KIND.hardware,
    handler: HANDLER.test,
    arg: plugAddress,
    stack: 0,
    home: 0,
    priority: 21,
  });
  const host: WireHost = { datagrams: 0, lastSequence: -1, outOfOrder: 0, link };

  function count(p: number): void {
    const sequence = be32(p + 42);
    if (sequence <= host.lastSequence) host.outOfOrder++;
    host.lastSequence = sequence;
    host.datagrams++;
  }

  function isAnswered(m: number): boolean {
    const view = mbuf(m);
    if ((view.flags & M_PKTHDR) === 0 || chainLength(m) !== view.pktLen) throw new Error('a broken packet');
    const type = be16(view.data + 12);
    if (type === ETHERTYPE_ARP) return answerArp(view.data, address);
    if (type !== ETHERTYPE_IP) return false;
    if (u8[view.data + 23] === 17 && be16(view.data + 36) === 9) count(view.data);
    return answerPing(view.data);
  }

  setSourceHandler(HANDLER.test, () => {
    for (let m = dequeueAll(plugOut(plug)); m !== 0;) {
      const next = nextRecord(m);
      mbuf(m).nextpkt = 0;
      if (isAnswered(m)) deliver(plug, m, m, 1);
      else mFree(m);
      m = next;
    }
    return true;
  });
  return host;
}
