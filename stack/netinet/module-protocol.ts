/**
 * Protocol modules on the stacks that have them (module.ts): what comes in for the EtherTypes and IP protocols that they have claimed, who watches all input, their
 * timers, and what they send. All of it in the stack context, guarded: a module that throws is switched off, and the stack goes on.
 */
import { region, selfThread, maxThreads, u16, u8 } from '../memory/memory.ts';
import { HEADROOM, mFree, mbuf } from '../memory/mbuf.ts';
import type { Fields } from '../memory/struct.ts';
import { ERRNO, SystemError } from '../runtime/messages/errno.ts';
import { seedRandom } from '../runtime/random.ts';
import { raise } from '../runtime/source.ts';
import { CALLOUT_BYTES, calloutInit } from '../runtime/wheel.ts';
import { CALLOUT, setCalloutHandler } from '../net/callouts.ts';
import { ETHERTYPE_IP, etherOutput, parseMac } from '../net/ethernet.ts';
import type { Ifnet, InterfaceEvent } from '../net/ifnet.ts';
import { IFT_ETHER, findInterface, ifnets, interfaceName, onInterfaceEvent } from '../net/ifnet.ts';
import { STATION, station } from '../net/journey.ts';
import { ContractError, ModuleHandle } from '../net/module-handle.ts';
import { moduleFile } from '../net/module.ts';
import type { Interface, ModuleOptions, Packet, Protocol, ProtocolModule } from '../net/module.ts';
import {
  MOST_CLAIMS,
  freeModuleRecord,
  moduleOf,
  moduleRecords,
  moduleStruct,
  newModuleRecord,
} from '../net/module-record.ts';
import type { ModuleRecord } from '../net/module-record.ts';
import { hasInputHandler, setModuleInput } from '../net/netisr.ts';
import {
  PFIL_HEAD,
  PFIL_HOOK,
  PFIL_IN,
  PFIL_OUT,
  pfilAdd,
  pfilRemove,
  registerPfilHook,
} from '../net/pfil.ts';
import { cancelCallout, setCallout, stacks } from '../net/stack.ts';
import type { Stack } from '../net/stack.ts';
import { ipOutput } from './ip-output.ts';
import { sourceFor } from './inpcb.ts';
import { setOtherTransport, transportInput } from './protocols.ts';

const RANDOM = moduleStruct.offsets.random;
const LOWEST_ETHERTYPE = 0x600;
/** A hardware address that was given as text; two bytes apart from the next thread's. */
const macPlace = region('module hardware address', 8 * maxThreads) + 8 * selfThread;
const DEFAULT_TTL = 64;
/** What hookFilter() has shown to filter(). */
const HOOKS = PFIL_IN | PFIL_OUT;
/** A callout's argument is its record's address with the number of the timer in the lowest bits: records begin at multiples of 8. */
const TIMER_BITS = 7;

class ProtocolHandle<S extends Fields = Fields> extends ModuleHandle<S> implements Protocol<S> {
  /** True while attach() runs: then it may claim. */
  attaching = false;
  /** The interface that is being destroyed, while the module is told so. */
  leaving = 0;
  readonly #timers: readonly string[];

  constructor(record: ModuleRecord) {
    super(record);
    this.#timers = Object.keys(this.protocol.timers ?? {});
  }

  get protocol(): ProtocolModule {
    return this.module as ProtocolModule;
  }

  /** The headers of all layers come in front. */
  override get lead(): number {
    return HEADROOM;
  }

  get stack(): number {
    return this.record.stack;
  }

  /** Calls a callback; what it throws switches the module off. */
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
    this.fault(`${what}()`, error, 'the module is switched off');
  }

  #expectAttaching(what: string): void {
    if (!this.attaching) throw new ContractError(`${what}() belongs into attach()`);
  }

  #expectCallback(name: 'input' | 'ipInput' | 'watch' | 'filter'): void {
    if (this.protocol[name] === undefined) throw new ContractError(`the module has no ${name}()`);
  }

  claimEtherType(etherType: number): void {
    this.#expectAttaching('claimEtherType');
    this.#expectCallback('input');
    const name = `EtherType 0x${etherType.toString(16)}`;
    if (!Number.isInteger(etherType) || etherType < LOWEST_ETHERTYPE || etherType > 0xffff)
      throw new SystemError(ERRNO.EINVAL, name);
    if (hasInputHandler(etherType) || findClaim(this.stack, etherTypeClaim, etherType) !== undefined)
      throw new SystemError(ERRNO.EEXIST, name);
    const { record } = this;
    if (record.etherTypeCount === MOST_CLAIMS) throw new SystemError(ERRNO.ENOBUFS, name);
    u16[(record.etherTypes >>> 1) + record.etherTypeCount++] = etherType;
  }

  claimIpProtocol(protocol: number): void {
    this.#expectAttaching('claimIpProtocol');
    this.#expectCallback('ipInput');
    const name = `IP protocol ${protocol}`;
    if (!Number.isInteger(protocol) || protocol < 0 || protocol > 255)
      throw new SystemError(ERRNO.EINVAL, name);
    if (transportInput(protocol) !== undefined || findClaim(this.stack, ipClaim, protocol) !== undefined)
      throw new SystemError(ERRNO.EEXIST, name);
    const { record } = this;
    if (record.ipProtocolCount === MOST_CLAIMS) throw new SystemError(ERRNO.ENOBUFS, name);
    u8[record.ipProtocols + record.ipProtocolCount++] = protocol;
  }

  watchInput(etherType = 0): void {
    this.#expectAttaching('watchInput');
    this.#expectCallback('watch');
    watch(this.record, false);
    this.record.watchedType = etherType;
    watch(this.record, true);
  }

  hookFilter(): void {
    this.#expectAttaching('hookFilter');
    this.#expectCallback('filter');
    const status = pfilAdd(stacks.get(this.stack), PFIL_HEAD.inet, PFIL_HOOK.module, this.record.ptr, HOOKS);
    if (status !== 0) throw new SystemError(status, 'hookFilter()');
  }

  #timer(name: string): number {
    const index = this.#timers.indexOf(name);
    if (index < 0)
      throw new ContractError(`there is no timer ${name}; the module has: ${this.#timers.join(', ')}`);
    return this.record.timers + index * CALLOUT_BYTES;
  }

  setTimer(name: string, ns: number): void {
    const callout = this.#timer(name);
    if (!(ns >= 0)) throw new ContractError(`setTimer(${name}, ${ns}): a time of 0 ns or more is expected`);
    setCallout(this.stack, callout, this.now() + ns);
  }

  cancelTimer(name: string): void {
    cancelCallout(this.stack, this.#timer(name));
  }

  /** Calls timer number `index`. */
  fire(index: number): void {
    const name = this.#timers[index]!;
    this.guard(`timers.${name}`, undefined, () => this.protocol.timers![name]!(this));
  }

  cancelTimers(): void {
    for (const name of this.#timers) this.cancelTimer(name);
  }

  interfaces(): Interface[] {
    const list: Interface[] = [];
    for (let ptr = stacks.get(this.stack).interfaces; ptr !== 0; ptr = ifnets.get(ptr).next) list.push(ptr);
    return list;
  }

  #expectInterface(ifp: Interface, what: string): void {
    let ptr = stacks.get(this.stack).interfaces;
    while (ptr !== 0 && ptr !== ifp) ptr = ifnets.get(ptr).next;
    if (ifp === 0 || (ptr !== ifp && ifp !== this.leaving))
      throw new ContractError(`${what}(${ifp}): this is no interface of the stack`);
  }

  interfaceNamed(name: string): Interface {
    return findInterface(stacks.get(this.stack), name)?.ptr ?? 0;
  }

  interfaceName(ifp: Interface): string {
    this.#expectInterface(ifp, 'interfaceName');
    return interfaceName(ifnets.get(ifp));
  }

  macOf(ifp: Interface): number {
    this.#expectInterface(ifp, 'macOf');
    return ifnets.get(ifp).mac;
  }

  send(ifp: Interface, m: Packet, to: number | string, etherType: number): number {
    this.#expectInterface(ifp, 'send');
    if (typeof to === 'string' && !parseMac(to, macPlace))
      throw new ContractError(`send(): ${to} is no hardware address`);
    this.release(m, 'send()');
    if (ifnets.get(ifp).type === IFT_ETHER)
      return etherOutput(ifnets.get(ifp), m, typeof to === 'string' ? macPlace : to, etherType);
    mFree(m);
    return ERRNO.EAFNOSUPPORT;
  }

  sendIp(m: Packet, protocol: number, source: number, destination: number): number {
    this.release(m, 'sendIp()');
    const from = source === 0 ? sourceFor(stacks.get(this.stack), destination) : source;
    return ipOutput(this.stack, m, from, destination, protocol, DEFAULT_TTL, 0, 0, 0);
  }
}

const handles: (ProtocolHandle | undefined)[] = [];

/** The handle of a protocol on its stack; one per record and thread. */
function handleOf(record: ModuleRecord): ProtocolHandle {
  const index = moduleRecords.indexOf(record.ptr);
  const known = handles[index];
  if (known?.serial === record.serial) return known;
  while (handles.length <= index) handles.push(undefined);
  const made = new ProtocolHandle(record);
  handles[index] = made;
  return made;
}

function watch(record: ModuleRecord, on: boolean): void {
  if ((record.watches !== 0) === on) return;
  const stack = stacks.get(record.stack);
  record.watches = on ? 1 : 0;
  stack.watchers += on ? 1 : -1;
  // What is forwarded in the receiving thread would not be seen.
  if (record.watchedType === 0 || record.watchedType === ETHERTYPE_IP) stack.activeFilters += on ? 1 : -1;
}

type Claim = (record: ModuleRecord, wanted: number) => boolean;

const etherTypeClaim: Claim = (record, wanted) => {
  for (let i = 0; i < record.etherTypeCount; i++)
    if (u16[(record.etherTypes >>> 1) + i] === wanted) return true;
  return false;
};

const ipClaim: Claim = (record, wanted) => {
  for (let i = 0; i < record.ipProtocolCount; i++) if (u8[record.ipProtocols + i] === wanted) return true;
  return false;
};

/** The protocol on a stack that has claimed something and works; undefined if there is none. */
function findClaim(stack: number, claims: Claim, wanted: number): ProtocolHandle | undefined {
  for (let ptr = stacks.get(stack).modules; ptr !== 0; ptr = moduleRecords.get(ptr).next) {
    const record = moduleRecords.get(ptr);
    if (record.faulted === 0 && claims(record, wanted)) return handleOf(record);
  }
  return undefined;
}

/** A callback with a packet failed: if the module still has the packet, it is freed. */
function failWith(self: ProtocolHandle, what: string, error: unknown, m: Packet): void {
  self.fail(what, error);
  if (self.holds(m)) mFree(m);
}

function etherInput(stack: number, m: number, drop: (stack: number, m: number) => void): void {
  const { aux, rcvif } = mbuf(m);
  const self = findClaim(stack, etherTypeClaim, aux);
  if (self === undefined) {
    drop(stack, m);
    return;
  }
  station(m, STATION.consumed, stack, aux);
  self.adopt(m);
  try {
    self.protocol.input!(self, m, aux, rcvif);
  } catch (error) {
    failWith(self, 'input', error, m);
  }
}

function transport(stack: number, m: number, header: number, protocol: number): boolean {
  const self = findClaim(stack, ipClaim, protocol);
  if (self === undefined) return false;
  self.adopt(m);
  try {
    self.protocol.ipInput!(self, m, header, protocol);
  } catch (error) {
    failWith(self, 'ipInput', error, m);
  }
  return true;
}

/** Shows a packet to all who watch; false if one of them has taken it. */
function watchInput(stack: number, m: number): boolean {
  for (let ptr = stacks.get(stack).modules; ptr !== 0; ptr = moduleRecords.get(ptr).next) {
    const record = moduleRecords.get(ptr);
    const { watchedType } = record;
    if (record.watches === 0 || (watchedType !== 0 && watchedType !== mbuf(m).aux)) continue;
    if (record.faulted === 0 && !showTo(handleOf(record), m)) return false;
  }
  return true;
}

function showTo(self: ProtocolHandle, m: number): boolean {
  const { aux, rcvif, owner } = mbuf(m);
  self.adopt(m);
  try {
    const goesOn = self.protocol.watch!(self, m, aux, rcvif) !== false;
    if (!goesOn) return false;
    self.expectOurs(m, 'watch() returned true');
  } catch (error) {
    self.fail('watch', error);
    if (!self.holds(m)) return false;
  }
  mbuf(m).owner = owner;
  mbuf(m).aux2 = 0;
  return true;
}

/** Has a protocol decide about a packet; one that faults lets everything pass. */
function filterBy(record: number, _stack: Stack, m: number, ifp: Ifnet, direction: number): number {
  if (moduleRecords.get(record).faulted !== 0) return m;
  const self = handleOf(moduleRecords.get(record));
  const { owner, aux2 } = mbuf(m);
  self.adopt(m);
  try {
    const passed = self.protocol.filter!(self, m, ifp.ptr, direction);
    if (passed === 0) return 0;
    self.expectOurs(passed, 'filter() returned it');
    mbuf(passed).owner = owner;
    mbuf(passed).aux2 = aux2;
    return passed;
  } catch (error) {
    failWith(self, 'filter', error, m);
    return 0;
  }
}

/** Adds a protocol module to a stack. No thread works; throws what the module throws, and nothing is left behind then. */
export function attachProtocol(stack: Stack, number: number, node: string, options: ModuleOptions): void {
  const ptr = newModuleRecord(stack.ptr, number);
  if (ptr === 0) throw new SystemError(ERRNO.ENOBUFS, 'no room for another module');
  const record = moduleRecords.get(ptr);
  const self = handleOf(record);
  seedRandom(ptr + RANDOM, `module:${node}:${self.label}:${stack.instance}`);
  Object.keys(self.protocol.timers ?? {}).forEach((_, i) =>
    calloutInit(record.timers + i * CALLOUT_BYTES, CALLOUT.module, ptr | i),
  );
  record.next = stack.modules;
  stack.modules = ptr;
  self.attaching = true;
  try {
    self.protocol.attach(self, options);
    // Nobody is in the stack context to look at the timers that it has set.
    raise(stack.source);
  } catch (error) {
    detachProtocol(stack, record);
    throw error;
  } finally {
    self.attaching = false;
  }
}

function detachProtocol(stack: Stack, record: ModuleRecord): void {
  const self = handleOf(record);
  quietProtocol(record);
  const lost = self.reclaim();
  if (lost > 0) self.log(`${lost} packets that it took were never given back; they are freed`, 'warning');
  if (stack.modules === record.ptr) stack.modules = record.next;
  else {
    let at = moduleRecords.get(stack.modules);
    while (at.next !== record.ptr) at = moduleRecords.get(at.next);
    at.next = record.next;
  }
  freeModuleRecord(record);
}

/** A protocol was switched off: it watches nothing and its timers are off. No thread works. */
export function quietProtocol(record: ModuleRecord): void {
  watch(record, false);
  pfilRemove(stacks.get(record.stack), PFIL_HEAD.inet, PFIL_HOOK.module, record.ptr, HOOKS);
  handleOf(record).cancelTimers();
  if (record.faulted !== 0) handleOf(record).reclaim();
}

/** The stack ends: its protocols go. No thread works. */
export function detachProtocols(stack: Stack): void {
  while (stack.modules !== 0) {
    const record = moduleRecords.get(stack.modules);
    const self = handleOf(record);
    self.guard('detach', undefined, () => self.protocol.detach?.(self));
    detachProtocol(stack, record);
  }
}

/** A protocol on a stack by its file, such as lsm-autoip; undefined if it is not loaded or was switched off. */
function protocolIn(stack: Stack, file: string): ProtocolHandle | undefined {
  for (let ptr = stack.modules; ptr !== 0; ptr = moduleRecords.get(ptr).next) {
    const record = moduleRecords.get(ptr);
    if (record.faulted === 0 && moduleFile(moduleOf(record)) === file) return handleOf(record);
  }
  return undefined;
}

/** Reads what is at the path of a protocol, in the stack context. Throws SystemError. */
export function readProtocol(stack: Stack, file: string): string {
  const self = protocolIn(stack, file);
  if (self?.protocol.read === undefined) throw new SystemError(ERRNO.EIO, `${file}.so`);
  const text = self.guard('read', undefined, () => self.protocol.read!(self));
  if (typeof text !== 'string') throw new SystemError(ERRNO.EIO, `${file}.so`);
  return text;
}

/** Writes to the path of a protocol, in the stack context. Throws SystemError. */
export function writeProtocol(stack: Stack, file: string, text: string): void {
  const self = protocolIn(stack, file);
  if (self?.protocol.write === undefined) throw new SystemError(ERRNO.EIO, `${file}.so`);
  try {
    self.protocol.write(self, text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    self.log(`write: ${reason}`, 'error');
    throw new SystemError(ERRNO.EINVAL, reason);
  }
}

/** Carries out a devctl() at the path of a protocol, in the stack context. Throws SystemError: ENOTTY when it knows none, EIO when it faults. */
export function controlProtocol(stack: Stack, file: string, command: string, data: unknown): unknown {
  const self = protocolIn(stack, file);
  if (self?.protocol.control === undefined) throw new SystemError(ERRNO.ENOTTY, command);
  try {
    return self.protocol.control(self, command, data);
  } catch (error) {
    if (error instanceof SystemError) throw error;
    self.fail('control', error);
    throw new SystemError(ERRNO.EIO, `${file}.so`);
  }
}

/** Tells the protocols of a stack what happened to one of its interfaces. */
function tellProtocols(ifp: Ifnet, event: InterfaceEvent): void {
  if (event === 'gone') return;
  for (let ptr = stacks.get(ifp.stack).modules; ptr !== 0; ptr = moduleRecords.get(ptr).next) {
    const self = handleOf(moduleRecords.get(ptr));
    if (event === 'leaving') self.leaving = ifp.ptr;
    self.guard('interfaceEvent', undefined, () => self.protocol.interfaceEvent?.(self, ifp.ptr, event));
    self.leaving = 0;
  }
}

/** Makes protocol modules part of the stack in this thread. */
export function installModules(): void {
  setModuleInput((drop) => (stack, m) => etherInput(stack, m, drop), watchInput);
  setOtherTransport(transport);
  setCalloutHandler(CALLOUT.module, (arg) =>
    handleOf(moduleRecords.get(arg & ~TIMER_BITS)).fire(arg & TIMER_BITS),
  );
  registerPfilHook(PFIL_HOOK.module, { packet: filterBy });
  onInterfaceEvent(tellProtocols);
}
