/**
 * devn-vnic: the lab's virtual network card with a driver in io-net's style, as those before io-pkt had: behind the shim, each packet copied on its way, with a receive
 * thread of its own.
 */
import { mFree, mbuf, ownerTag } from '../../stack/memory/mbuf.ts';
import { mCopyOut, mCopyPacket } from '../../stack/memory/mbuf-chain.ts';
import { dequeueSome, enqueue, nextRecord } from '../../stack/memory/queue.ts';
import { raise } from '../../stack/runtime/source.ts';
import { CARD_OPTIONS } from '../../stack/net/card-options.ts';
import { DRIVER } from '../../stack/net/ifnet.ts';
import type { DriverModule } from '../../stack/net/module.ts';
import { clearPlug, freePlug, newPlug, plugCarrier, plugIn, plugOut, plugs } from '../../stack/net/plug.ts';
import type { IoNetDriver, IoNetSelf, Npkt } from '../shim/io-net.ts';
import { attachLegacy, registerLegacy } from '../shim/shim.ts';

const WIRE = ownerTag('driver');

/** What a legacy driver with a plug does. */
const driver: IoNetDriver = {
  name: 'vnic',
  description: 'virtual card of the lab, driver in io-net’s style',
  attach(cable, receiver) {
    const ptr = cable === 0 ? newPlug() : cable;
    if (ptr === 0) return 0;
    const plug = plugs.get(ptr);
    plug.device = receiver;
    plug.owned = cable === 0 ? 1 : 0;
    return ptr;
  },
  begin(ion) {
    plugs.get(ion.handle).up = 1;
  },
  rxDown(ion, npkt) {
    transmit(ion, npkt);
    ion.txDone(npkt);
  },
  receive,
  shutdown1(ion) {
    const plug = plugs.get(ion.handle);
    plug.up = 0;
    clearPlug(plug);
  },
  shutdown2(ion) {
    const plug = plugs.get(ion.handle);
    plug.device = 0;
    if (plug.owned !== 0) freePlug(plug);
  },
  carrier: (ion) => plugCarrier(plugs.get(ion.handle)),
};

/** Puts a copy on the wire; what finds no room there is lost. */
function transmit(ion: IoNetSelf, npkt: Npkt): void {
  const plug = plugs.get(ion.handle);
  if (plug.link === 0) return;
  const copy = mCopyPacket(WIRE, npkt);
  if (copy === 0) return;
  mbuf(copy).time = mbuf(npkt).time;
  if (enqueue(plugOut(plug), copy)) raise(plug.link);
  else mFree(copy);
}

/** Copies what came in into packets of io-net's; what finds none is lost. */
function receive(ion: IoNetSelf, budget: number): number {
  let count = 0;
  for (let m = dequeueSome(plugIn(plugs.get(ion.handle)), budget); m !== 0; count++) {
    const next = nextRecord(m);
    const { pktLen } = mbuf(m);
    const npkt = ion.allocUpNpkt(pktLen);
    if (npkt !== 0) {
      mCopyOut(m, 0, pktLen, ion.data(npkt));
      ion.txUp(npkt);
    }
    mFree(m);
    m = next;
  }
  return count;
}

registerLegacy(DRIVER.legacyVnic, driver);

const module: DriverModule = {
  kind: 'driver',
  name: 'vnic',
  legacy: true,
  description: driver.description,
  options: CARD_OPTIONS,
  attach(side, options) {
    attachLegacy(side, DRIVER.legacyVnic, options);
  },
};
export default module;
