/**
 * Cards of drivers that are written against the contract of modules (module.ts): each callback of the stack's driver interface becomes one of the module, guarded, so
 * that what goes wrong there switches off the interface and nothing else.
 */
import { dequeue, dequeueAll, nextRecord } from '../memory/queue.ts';
import { mFree, mFreeList, mOwn, mbuf, ownerTag } from '../memory/mbuf.ts';
import { u8 } from '../memory/memory.ts';
import type { Fields } from '../memory/struct.ts';
import { IFF } from '../runtime/messages/control.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { seedRandom } from '../runtime/random.ts';
import { raise, raiseAt } from '../runtime/source.ts';
import { cardFrom } from './card-options.ts';
import { ETHERMTU, ETHER_ADDRESS, ETHER_HEADER, etherInput } from './ethernet.ts';
import {
  IFT_ETHER,
  countOutput,
  ifAttach,
  ifnets,
  interfaceName,
  registerDriver,
  sendQueue,
  startInterface,
} from './ifnet.ts';
import type { Driver, Ifnet } from './ifnet.ts';
import { STATION, station } from './journey.ts';
import { ContractError, ModuleHandle } from './module-handle.ts';
import type { Card, CardTraits, DriverModule, ModuleOptions, Packet } from './module.ts';
import { freeModuleRecord, moduleRecords, moduleStruct, newModuleRecord } from './module-record.ts';
import type { ModuleRecord } from './module-record.ts';
import type { Stack } from './stack.ts';
import { OUTBOUND, tapPacket } from './tap.ts';

const DRIVER_OWNER = ownerTag('driver');
/** Longest frame that a card may receive: a jumbo frame of 9000 bytes, tagged. */
const LONGEST_FRAME = 9018;
const MTU_MAX = 9000;
const RANDOM = moduleStruct.offsets.random;

class CardHandle<S extends Fields = Fields> extends ModuleHandle<S> implements Card<S> {
  readonly ifp: Ifnet;
  /** True while this thread is in start(), in process(). */
  starting = false;
  processing = false;
  isReady = false;
  // What process() has received, linked by nextpkt.
  #first = 0;
  #last = 0;

  constructor(record: ModuleRecord) {
    super(record);
    this.ifp = ifnets.get(record.interface);
  }

  get driver(): DriverModule {
    return this.module as DriverModule;
  }

  get name(): string {
    return interfaceName(this.ifp);
  }

  get mac(): number {
    return this.ifp.mac;
  }

  get up(): boolean {
    return (this.ifp.flags & IFF.RUNNING) !== 0;
  }

  get mtu(): number {
    return this.ifp.mtu;
  }

  get waiting(): number {
    return sendQueue(this.ifp).len;
  }

  /** Calls a callback; what it throws switches the interface off. */
  guard<T>(what: string, otherwise: T, call: () => T): T {
    if (this.isFaulted) return otherwise;
    try {
      return call();
    } catch (error) {
      this.fail(what, error);
      return otherwise;
    }
  }

  fail(what: string, error: unknown): void {
    this.fault(`${this.name}: ${what}()`, error, 'the interface is switched off');
  }

  #expect(inside: boolean, what: string, where: string): void {
    if (!inside) throw new ContractError(`${what}() belongs into ${where}()`);
  }

  take(): Packet {
    this.#expect(this.starting, 'take', 'start');
    const m = dequeue(sendQueue(this.ifp));
    if (m === 0) return 0;
    const { ifp } = this;
    const view = mbuf(m);
    view.time = this.now();
    station(m, STATION.driverOut, ifp.ptr, 0);
    if (ifp.taps !== 0) {
      tapPacket(ifp.taps, m, OUTBOUND, view.time);
      station(m, STATION.tap, ifp.ptr, OUTBOUND);
    }
    countOutput(ifp, 1, view.pktLen);
    this.adopt(m);
    return m;
  }

  full(): void {
    this.#expect(this.starting, 'full', 'start');
    this.ifp.oactive = 1;
  }

  ready(): void {
    this.#expect(this.processing, 'ready', 'process');
    this.isReady = true;
  }

  receive(m: Packet): void {
    this.#expect(this.processing, 'receive', 'process');
    this.release(m, 'receive()');
    mOwn(m, DRIVER_OWNER);
    if (this.#first === 0) this.#first = m;
    else mbuf(this.#last).nextpkt = m;
    this.#last = m;
  }

  /** Hands what process() has received to the stack. */
  deliver(): void {
    let m = this.#first;
    this.#first = 0;
    while (m !== 0) {
      const next = nextRecord(m);
      mbuf(m).nextpkt = 0;
      const { pktLen } = mbuf(m);
      if (pktLen >= ETHER_HEADER && pktLen <= LONGEST_FRAME && this.up) etherInput(this.ifp, m);
      else {
        this.ifp.ierrors++;
        mFree(m);
      }
      m = next;
    }
  }

  raise(): void {
    raise(this.ifp.source);
  }

  raiseAt(time: number): void {
    raiseAt(this.ifp.source, Math.max(time, 0));
  }

  find(wanted: (other: Card<S>) => boolean): Card<S> | undefined {
    let found: Card<S> | undefined;
    moduleRecords.each((record) => {
      if (found !== undefined || record.number !== this.record.number || record.interface === 0) return;
      const other = cardOf<S>(ifnets.get(record.interface));
      if (wanted(other)) found = other;
    });
    return found;
  }
}

const handles: (CardHandle | undefined)[] = [];

/** The handle of a card; one per card and thread. */
function cardOf<S extends Fields = Fields>(ifp: Ifnet): CardHandle<S> {
  const index = moduleRecords.indexOf(ifp.softc);
  const record = moduleRecords.get(ifp.softc);
  let handle = handles[index];
  if (handle?.serial !== record.serial) {
    while (handles.length <= index) handles.push(undefined);
    handle = new CardHandle(record);
    handles[index] = handle;
  }
  return handle as CardHandle<S>;
}

function init(ifp: Ifnet): number {
  const card = cardOf(ifp);
  if (card.isFaulted) return ERRNO.EIO;
  const status = card.guard('init', ERRNO.EIO, () => card.driver.init?.(card) ?? 0);
  if (status === 0) ifp.flags |= IFF.RUNNING;
  return status;
}

function stop(ifp: Ifnet, disable: boolean): void {
  const card = cardOf(ifp);
  ifp.flags &= ~IFF.RUNNING;
  ifp.oactive = 0;
  card.guard('stop', undefined, () => card.driver.stop?.(card, disable));
  mFreeList(dequeueAll(sendQueue(ifp)));
  card.dropQueues();
}

function start(ifp: Ifnet): void {
  const card = cardOf(ifp);
  const queue = sendQueue(ifp);
  if (card.isFaulted) {
    mFreeList(dequeueAll(queue));
    return;
  }
  const before = queue.len;
  card.starting = true;
  try {
    card.driver.start!(card);
    if (before > 0 && queue.len >= before && ifp.oactive === 0)
      throw new ContractError('it took nothing from the send queue and did not call full()');
  } catch (error) {
    card.fail('start', error);
  }
  card.starting = false;
}

function process(ifp: Ifnet): boolean {
  const card = cardOf(ifp);
  if (card.isFaulted) return true;
  let finished = true;
  card.processing = true;
  try {
    finished = card.driver.process!(card) !== false;
  } catch (error) {
    card.fail('process', error);
  }
  card.processing = false;
  card.deliver();
  if (card.isReady) {
    card.isReady = false;
    ifp.oactive = 0;
    startInterface(ifp);
  }
  return finished;
}

function detach(ifp: Ifnet): void {
  const card = cardOf(ifp);
  card.guard('detach', undefined, () => card.driver.detach?.(card));
  const lost = card.reclaim();
  if (lost > 0)
    card.log(`${card.name}: ${lost} packets that it took were never given back; they are freed`, 'warning');
  freeModuleRecord(card.record);
  ifp.softc = 0;
}

/** Makes the cards of a driver known to this thread, by the driver's number. */
export function registerCardDriver(number: number, module: DriverModule): void {
  const driver: Driver = {
    name: module.name,
    description: module.description,
    init,
    stop,
    start,
    process,
    detach,
    ioctl(ifp, command, value) {
      const card = cardOf(ifp);
      if (card.isFaulted) return ERRNO.EIO;
      return card.guard('ioctl', ERRNO.EIO, () => module.ioctl?.(card, command, value) ?? 0);
    },
    enable(ifp) {
      const card = cardOf(ifp);
      return card.guard('enable', false, () => module.enable?.(card) === true);
    },
    carrier(ifp) {
      const card = cardOf(ifp);
      return card.up && card.guard('carrier', false, () => module.carrier?.(card) !== false);
    },
    statistics(ifp) {
      const card = cardOf(ifp);
      const basic = {
        txed_ok: ifp.opackets,
        rxed_ok: ifp.ipackets,
        octets_txed_ok: ifp.obytes,
        octets_rxed_ok: ifp.ibytes,
      };
      return { ...basic, ...card.guard('statistics', {}, () => module.statistics?.(card) ?? {}) };
    },
    configuration(ifp) {
      const card = cardOf(ifp);
      return card.guard('configuration', {}, () => module.configuration?.(card) ?? {});
    },
  };
  registerDriver(number, driver);
}

/** Adds a card of driver `number` to a stack. No thread works; throws SystemError. */
export function attachModuleCard(
  stack: Stack,
  number: number,
  node: string,
  options: ModuleOptions,
  { base, mtuMax = ETHERMTU }: CardTraits,
): Card {
  const identity = cardFrom(stack, options, base);
  const ptr = newModuleRecord(stack.ptr, number);
  const made =
    ptr === 0
      ? 0
      : ifAttach(stack, {
          name: identity.name,
          type: IFT_ETHER,
          driver: number,
          flags: IFF.BROADCAST | IFF.SIMPLEX | IFF.MULTICAST,
          mtu: ETHERMTU,
          mtuMax: Math.min(Math.max(mtuMax, ETHERMTU), MTU_MAX),
          ...(identity.priority !== undefined && { priority: identity.priority }),
        });
  if (made === 0) {
    if (ptr !== 0) freeModuleRecord(moduleRecords.get(ptr));
    throw new SystemError(ERRNO.ENOBUFS, identity.name);
  }
  const ifp = ifnets.get(made);
  ifp.softc = ptr;
  u8.set(identity.mac.subarray(0, ETHER_ADDRESS), ifp.mac);
  const record = moduleRecords.get(ptr);
  record.interface = made;
  seedRandom(ptr + RANDOM, `module:${node}:${identity.name}`);
  return cardOf(ifp);
}

/** A card was switched off: it carries nothing any more, until it is destroyed. No thread works. */
export function quietCard(record: ModuleRecord): void {
  const ifp = ifnets.get(record.interface);
  ifp.flags &= ~IFF.RUNNING;
  ifp.oactive = 0;
  mFreeList(dequeueAll(sendQueue(ifp)));
  cardOf(ifp).reclaim();
}
