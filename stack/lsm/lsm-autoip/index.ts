/**
 * lsm-autoip: gives one interface a link-local IPv4 address that nobody on its link has (RFC 3927; io-pkt, "lsm-autoip.so"). It is probed for, announced, defended once
 * in ten seconds and given up for another when a conflict persists. It is an alias: addresses that the interface has stay.
 */
import { be32, maxThreads, region, selfThread } from '../../memory/memory.ts';
import { mCopyOut } from '../../memory/mbuf-chain.ts';
import { SECOND } from '../../runtime/clock.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { IFF } from '../../runtime/messages/control.ts';
import { ETHERTYPE_ARP, sameMac } from '../../net/ethernet.ts';
import { IFT_ETHER, driverOf, findAddress, ifaddrs, ifnets } from '../../net/ifnet.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import type { Interface, Protocol, ProtocolModule } from '../../net/module.ts';
import { RTF_CLONING, addRoute, exactRoute } from '../../net/route.ts';
import { stacks } from '../../net/stack.ts';
import { ARP_FIELDS, announceAddress, probeAddress } from '../../netinet/arp.ts';
import { dropAddress, setAddress } from '../../netinet/in-control.ts';
import { addressText, isLinkLocal } from '../../netinet/ip.ts';
import { addressFromMac, addressFromRandom, isCandidate } from './candidate.ts';
import {
  ANNOUNCE_INTERVAL,
  ANNOUNCE_NUM,
  DEFEND_INTERVAL,
  LOOK_INTERVAL,
  MAX_CONFLICTS,
  PROBE_NUM,
  RATE_LIMIT_INTERVAL,
} from './times.ts';

/** A packet of ARP in a row, in a place of this thread. */
const seen = region('autoip arp', 32 * maxThreads) + 32 * selfThread;

const NETWORK = 0xa9fe0000;
const NETMASK = 0xffff0000;
const BROADCAST = 0xa9feffff;

/** What it is doing. */
const PHASE = {
  /** The interface is down, or has a routable address and that is enough. */
  idle: 0,
  /** Asks whether somebody has the address. */
  probing: 1,
  /** The address is ours. */
  bound: 2,
} as const;

const state = {
  interface: 'ptr',
  phase: 'u8',
  /** Options. */
  abandon: 'u8',
  debug: 'u8',
  force: 'u8',
  old: 'u8',
  /** ns. */
  delay: 'f64',
  address: 'u32',
  /** Probes, then announcements, that were sent. */
  sent: 'u32',
  /** Conflicts since an address was last ours. */
  conflicts: 'u32',
  /** When the address was last defended, ns; -1 for never. */
  defended: 'f64',
} as const;
type Self = Protocol<typeof state>;

function interfaceOf({ state: { interface: ptr } }: Self): Ifnet {
  return ifnets.get(ptr);
}

function debug(self: Self, text: string): void {
  if (self.state.debug !== 0) self.log(`${self.interfaceName(self.state.interface)}: ${text}`, 'debug1');
}

function routable(ifp: Ifnet): boolean {
  for (let ptr = ifp.addresses; ptr !== 0; ptr = ifaddrs.get(ptr).next)
    if (!isLinkLocal(ifaddrs.get(ptr).address)) return true;
  return false;
}

/** With `old` and without `force` a routable address is enough: others on the link are reached by the route to their network. */
function isEnough(self: Self): boolean {
  const { old, force } = self.state;
  if (old === 0 || force !== 0) return false;
  const ifp = interfaceOf(self);
  if (!routable(ifp)) return false;
  const stack = stacks.get(self.stack);
  if (exactRoute(stack, NETWORK, 16) === 0)
    addRoute(stack, { network: NETWORK, length: 16, gateway: 0, interface: ifp.ptr, flags: RTF_CLONING });
  return true;
}

/** Begins to probe for the address in its state, after `wait`. */
function tryAddress(self: Self, wait: number): void {
  self.state.phase = PHASE.probing;
  self.state.sent = 0;
  debug(self, `trying ${addressText(self.state.address)}`);
  self.setTimer('step', wait);
}

/** RFC 3927 §2.2.1: hosts that start together do not probe together. */
function begin(self: Self): void {
  tryAddress(self, self.random() * (self.state.delay / 2));
}

function another(self: Self): void {
  const { state: own } = self;
  own.address = addressFromRandom(self.random());
  own.conflicts++;
  const limited = own.conflicts > MAX_CONFLICTS;
  if (own.conflicts === MAX_CONFLICTS + 1)
    self.log(
      `${MAX_CONFLICTS} conflicts: one address is tried in ${RATE_LIMIT_INTERVAL / SECOND} s from now on`,
      'warning',
    );
  tryAddress(self, limited ? RATE_LIMIT_INTERVAL : self.random() * (own.delay / 2));
}

/** The next probe or announcement is due. */
function step(self: Self): void {
  const ifp = interfaceOf(self);
  if (self.state.phase === PHASE.idle) look(self);
  else if (self.state.phase === PHASE.bound) announceAgain(self, ifp);
  else if (!driverOf(ifp).carrier(ifp)) {
    // What nobody can hear is no probe.
    self.state.sent = 0;
    self.setTimer('step', LOOK_INTERVAL);
  } else if (self.state.sent < PROBE_NUM) probe(self, ifp);
  else bind(self, ifp);
}

function probe(self: Self, ifp: Ifnet): void {
  const { delay, address } = self.state;
  self.state.sent++;
  debug(self, `probe ${self.state.sent} for ${addressText(address)}`);
  probeAddress(ifp, address);
  // The last wait is ANNOUNCE_WAIT, the others lie between PROBE_MIN and PROBE_MAX.
  self.setTimer('step', self.state.sent === PROBE_NUM ? delay : (delay / 2) * (1 + self.random()));
}

/** Nobody has it: it is ours, and announced for the first time. */
function bind(self: Self, ifp: Ifnet): void {
  const { state: own } = self;
  const status = setAddress(ifp, {
    address: own.address,
    netmask: NETMASK,
    broadcast: BROADCAST,
    alias: true,
  });
  if (status !== 0) {
    self.log(`${self.interfaceName(ifp.ptr)}: no room for ${addressText(own.address)}`, 'error');
    self.setTimer('step', RATE_LIMIT_INTERVAL);
    return;
  }
  own.phase = PHASE.bound;
  own.conflicts = 0;
  own.sent = 1;
  own.defended = -1;
  self.log(`${self.interfaceName(ifp.ptr)}: ${addressText(own.address)} is ours`);
  self.setTimer('step', ANNOUNCE_INTERVAL);
}

function announceAgain(self: Self, ifp: Ifnet): void {
  if (isEnough(self)) {
    release(self, ifp);
    look(self);
    return;
  }
  if (self.state.sent < ANNOUNCE_NUM && findAddress(ifp, self.state.address) !== 0) {
    self.state.sent++;
    announceAddress(ifp, self.state.address);
  }
  if (self.state.old !== 0) self.setTimer('step', LOOK_INTERVAL);
}

/** Goes on when there is something to do. */
function look(self: Self): void {
  self.state.phase = PHASE.idle;
  if ((interfaceOf(self).flags & IFF.UP) === 0) return;
  if (isEnough(self)) self.setTimer('step', LOOK_INTERVAL);
  else begin(self);
}

/** Gives the address back. */
function release(self: Self, ifp: Ifnet): void {
  const ptr = findAddress(ifp, self.state.address);
  if (ptr !== 0) dropAddress(ifp, ptr);
}

/** Somebody else uses our address (RFC 3927 §2.5): it is defended, or given up for another. */
function onConflict(self: Self, ifp: Ifnet): void {
  const { state: own } = self;
  const text = `${self.interfaceName(ifp.ptr)}: ${addressText(own.address)} is used by somebody else`;
  const now = self.now();
  if (own.abandon === 0 && (own.defended < 0 || now - own.defended > DEFEND_INTERVAL)) {
    self.log(`${text}; defending it`, 'warning');
    own.defended = now;
    announceAddress(ifp, own.address);
    return;
  }
  self.log(`${text}; giving it up`, 'warning');
  release(self, ifp);
  another(self);
}

/** Whether a packet of ARP at `p` says that somebody else has the address, or is about to take it (RFC 3927 §2.2.1). */
function conflicts(self: Self, ifp: Ifnet, p: number): boolean {
  if (sameMac(p + ARP_FIELDS.senderMac, ifp.mac)) return false;
  const sender = be32(p + ARP_FIELDS.sender) >>> 0;
  if (sender === self.state.address) return true;
  const probed = be32(p + ARP_FIELDS.target) >>> 0;
  return self.state.phase === PHASE.probing && sender === 0 && probed === self.state.address;
}

const module: ProtocolModule<typeof state> = {
  kind: 'protocol',
  name: 'autoip',
  description: 'link-local IPv4 addresses (RFC 3927)',
  options: {
    if: { type: 'text', meaning: 'interface, which has to be there', default: 'en0' },
    ip: {
      type: 'address',
      meaning: 'address to try first; default: one that follows from the hardware address',
    },
    delay: { type: 'number', meaning: 'ms before each probe, at most', default: 2000, min: 1, max: 8000 },
    abandon: { type: 'flag', meaning: 'gives an address up at the first conflict' },
    debug: { type: 'flag', meaning: 'tells the system log of every step' },
    force: { type: 'flag', meaning: 'with old: keeps the address beside a routable one' },
    old: { type: 'flag', meaning: 'has no address, but a route, while there is a routable one' },
  },
  state,
  attach(self, options) {
    const name = options.text('if') ?? 'en0';
    const ptr = self.interfaceNamed(name);
    if (ptr === 0) throw new SystemError(ERRNO.ENXIO, `if=${name}`);
    if (ifnets.get(ptr).type !== IFT_ETHER)
      throw new SystemError(ERRNO.EINVAL, `if=${name}: link-local addresses are for Ethernet interfaces`);
    const wish = options.address('ip');
    if (wish !== undefined && !isCandidate(wish))
      throw new SystemError(
        ERRNO.EINVAL,
        `ip=${addressText(wish)}: addresses from 169.254.1.0 to 169.254.254.255 can be had`,
      );
    const { state: own, bytes } = self;
    const at = self.macOf(ptr);
    own.interface = ptr;
    own.address = wish ?? addressFromMac(bytes.slice(at, at + 6));
    own.delay = (options.number('delay') ?? 2000) * (SECOND / 1000);
    own.abandon = Number(options.flag('abandon'));
    own.debug = Number(options.flag('debug'));
    own.old = Number(options.flag('old'));
    own.force = Number(options.flag('force'));
    if (own.force !== 0 && own.old === 0) self.log('force is for old, and ignored', 'warning');
    self.watchInput(ETHERTYPE_ARP);
    look(self);
  },
  timers: { step },
  watch(self, m, _etherType, ifp: Interface) {
    const { state: own } = self;
    if (ifp !== own.interface || own.phase === PHASE.idle || self.length(m) < ARP_FIELDS.bytes) return true;
    mCopyOut(m, 0, ARP_FIELDS.bytes, seen);
    if (!conflicts(self, ifnets.get(ifp), seen)) return true;
    if (own.phase === PHASE.probing) {
      debug(self, `${addressText(own.address)} is taken`);
      another(self);
      return true;
    }
    // Who deleted it by hand does not want another.
    if (findAddress(ifnets.get(ifp), own.address) === 0) return true;
    onConflict(self, ifnets.get(ifp));
    // The stack would answer by its own rule.
    self.free(m);
    return false;
  },
  interfaceEvent(self, ifp, event) {
    if (ifp !== self.state.interface) return;
    if (event === 'up') look(self);
    if (event !== 'down' && event !== 'leaving') return;
    self.cancelTimer('step');
    self.state.phase = PHASE.idle;
    if (event === 'leaving') {
      self.log('its interface is gone', 'notice');
      self.state.interface = 0;
    } else release(self, ifnets.get(ifp));
  },
};
export default module;
