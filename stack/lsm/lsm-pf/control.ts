/**
 * The calls of /dev/pf (pf(4); filter/pf/ioctl.ts), in the stack context. A call that cannot be done throws SystemError with a text.
 */
import { getText, putText } from '../../memory/memory.ts';
import { SECOND, now } from '../../runtime/clock.ts';
import { ERRNO, SystemError } from '../../runtime/messages/errno.ts';
import { PFIL_IN, PFIL_OUT } from '../../net/pfil.ts';
import { ifnets, interfaceName } from '../../net/ifnet.ts';
import { stacks } from '../../net/stack.ts';
import type { PfControl, PfControlIn, PfControlMap, PfControlOut } from '../../filter/pf/ioctl.ts';
import { PF_LIMITS, PF_TIMEOUTS } from '../../filter/pf/ruleset.ts';
import type { PfLimit, PfTableAddress, PfTimeout } from '../../filter/pf/ruleset.ts';
import { address4, mask4, text4 } from './address.ts';
import { clearCounts, limitCounts, reasonCounts } from './counters.ts';
import { disable, enable, schedule } from './filtering.ts';
import { sourceInfo, stateId, stateInfo } from './info.ts';
import { findKif, makeKif } from './kifs.ts';
import { IFNAME, kifs, sourceNodes, stateRecords } from './records.ts';
import type { Kif, Pf, SourceNode, State } from './records.ts';
import { listFingerprints, loadFingerprints } from './os.ts';
import { removeSource } from './sources.ts';
import { findState, limitOf, removeStates, setLimitOf, setTimeoutOf, timeoutOf } from './states.ts';
import {
  addAddresses,
  clearAddressCounters,
  clearAddresses,
  clearTables,
  deleteAddresses,
  expireAddresses,
  killTables,
  listAddresses,
  listTables,
  setAddresses,
  testAddresses,
} from './table-change.ts';
import type { Table } from './tables.ts';
import { tableAnchor, tableName } from './tables.ts';
import {
  addAltq,
  addRules,
  addTableAddresses,
  addTables,
  begin,
  commit,
  loadedAltq,
  rollBack,
} from './transaction.ts';
import { eachRule } from './view.ts';
import { MOST_IN_CALL, clearRules, getRules, ruleSets } from './control-rules.ts';
import { applyQueues, listQueues, removeQueues } from './queues.ts';

const DEBUG = ['none', 'urgent', 'misc', 'loud'] as const;
const NOTHING = {};

type Handlers = { [N in PfControl]: (pf: Pf, argument: PfControlIn<N>) => PfControlOut<N> };

/** The interfaces of the stack of a PF by name. */
function namesOfInterfaces(pf: Pf): string[] {
  const names: string[] = [];
  for (let ptr = stacks.get(pf.stack).interfaces; ptr !== 0; ptr = ifnets.get(ptr).next)
    names.push(interfaceName(ifnets.get(ptr)));
  return names;
}

function status(pf: Pf): PfControlMap['DIOCGETSTATUS']['out'] {
  const name = getText(pf.statusInterface, IFNAME);
  const kif = name === '' ? 0 : findKif(pf, name);
  return {
    enabled: pf.running === 1,
    seconds: Math.floor((now() - pf.since) / SECOND),
    debug: DEBUG[pf.debug] ?? 'urgent',
    hostid: pf.hostid,
    states: pf.states,
    sourceNodes: pf.sourceNodes,
    search: pf.search,
    insert: pf.insert,
    removals: pf.removals,
    sourceSearch: pf.sourceSearch,
    sourceInsert: pf.sourceInsert,
    sourceRemovals: pf.sourceRemovals,
    reasons: reasonCounts(pf),
    limitCounters: limitCounts(pf),
    ...(kif === 0 ? {} : { logInterface: interfaceStatus(name, kifs.get(kif)) }),
  };
}

function interfaceStatus(name: string, kif: Kif) {
  return {
    name,
    bytes: { in: kif.inPassBytes + kif.inBlockBytes, out: kif.outPassBytes + kif.outBlockBytes },
    passed: { in: kif.inPass, out: kif.outPass },
    blocked: { in: kif.inBlock, out: kif.outBlock },
  };
}

/** How many rules name a table: those of its anchor, and of the main rule set those of all anchors. */
function rulesOfTable(pf: Pf): (table: Table) => number {
  const uses = new Map<string, number>();
  eachRule(pf, ({ source }, anchor) => {
    for (const { address } of [source.source, source.destination])
      if (address.kind === 'table') count(address.name, anchor);
    for (const pool of [source.pool, source.route?.pool])
      for (const { address } of pool?.addresses ?? [])
        if (address.kind === 'table') count(address.name, anchor);
    const overload = source.stateOptions?.overload;
    if (overload !== undefined) count(overload.table, anchor);
  });
  function count(name: string, anchor: string): void {
    for (const key of new Set([`${anchor} ${name}`, ` ${name}`])) uses.set(key, (uses.get(key) ?? 0) + 1);
  }
  return (table) => uses.get(`${tableAnchor(table)} ${tableName(table)}`) ?? 0;
}

function getStates(pf: Pf, { after, count }: PfControlIn<'DIOCGETSTATES'>): PfControlOut<'DIOCGETSTATES'> {
  let ptr = pf.firstState;
  if (after !== undefined) {
    const id = Number.parseInt(after, 16);
    while (ptr !== 0 && stateRecords.get(ptr).id <= id) ptr = stateRecords.get(ptr).following;
  }
  const states = [];
  for (; ptr !== 0 && states.length < Math.min(count, MOST_IN_CALL); ptr = stateRecords.get(ptr).following)
    states.push(stateInfo(pf, stateRecords.get(ptr)));
  return { total: pf.states, states };
}

/** Whether an address is in a network; a network of another family never has it. */
function isIn({ af, address, length, not }: PfTableAddress, value: number): boolean {
  if (af !== 'inet') return length === 0;
  const inside = ((address4(address) ^ value) & mask4(length)) === 0;
  return inside !== (not === true);
}

const isOn = (name: string | undefined, state: State): boolean =>
  name === undefined || (state.ifp !== 0 && interfaceName(ifnets.get(state.ifp)) === name);

/** Source and destination of a state as its first packet had them. */
function endsOf(state: State): readonly [number, number] {
  return state.direction === PFIL_IN
    ? [state.externalAddress, state.lanAddress]
    : [state.lanAddress, state.externalAddress];
}

function eachSource(pf: Pf, visit: (node: SourceNode) => void): void {
  for (let ptr = pf.firstSource; ptr !== 0;) {
    const node = sourceNodes.get(ptr);
    ptr = node.next;
    visit(node);
  }
}

/** Removes sources; states do not refer to them any more. */
function removeSources(pf: Pf, wanted: (node: SourceNode) => boolean): number {
  const gone = new Set<number>();
  eachSource(pf, (node) => wanted(node) && gone.add(node.ptr));
  for (let ptr = pf.firstState; ptr !== 0; ptr = stateRecords.get(ptr).following) {
    const state = stateRecords.get(ptr);
    if (gone.has(state.source)) state.source = 0;
    if (gone.has(state.natSource)) state.natSource = 0;
  }
  gone.forEach((ptr) => removeSource(pf, sourceNodes.get(ptr)));
  return gone.size;
}

function natLook(pf: Pf, argument: PfControlIn<'DIOCNATLOOK'>): PfControlOut<'DIOCNATLOOK'> {
  const { protocol, source, destination, direction } = argument;
  const from = address4(source.address);
  const to = address4(destination.address);
  // Asked by a program at one end: what it knows is what the answers of the connection carry.
  const way = direction === 'in' ? PFIL_IN : PFIL_OUT;
  const ptr = findState(pf, 0, way, protocol, to, destination.port, from, source.port);
  if (ptr === 0) throw new SystemError(ERRNO.ENOENT, 'no such state');
  const state = stateRecords.get(ptr);
  if (direction === 'in')
    return { source: { address: text4(state.lanAddress), port: state.lanPort }, destination };
  return { source, destination: { address: text4(state.gatewayAddress), port: state.gatewayPort } };
}

function setSkip(pf: Pf, interfaces: readonly string[]): void {
  for (let ptr = pf.kifs; ptr !== 0; ptr = kifs.get(ptr).next) kifs.get(ptr).skip = 0;
  // A name without a number means all interfaces of the kind.
  const names = interfaces.flatMap((name) =>
    /\d$/.test(name) ? [name] : namesOfInterfaces(pf).filter((one) => one.replace(/\d+$/, '') === name),
  );
  for (const name of names) {
    const ptr = makeKif(pf, name);
    if (ptr === 0) throw new SystemError(ERRNO.ENOBUFS, name);
    kifs.get(ptr).skip = 1;
  }
}

function listInterfaces(pf: Pf): PfControlOut<'DIOCGETINTERFACES'> {
  return namesOfInterfaces(pf).map((name) => {
    const kif = kifs.get(makeKif(pf, name));
    const pair = (packets: number, bytes: number) => ({ packets, bytes });
    let states = 0;
    for (let ptr = pf.firstState; ptr !== 0; ptr = stateRecords.get(ptr).following)
      if (isOn(name, stateRecords.get(ptr))) states++;
    let rules = 0;
    eachRule(pf, ({ source }) => source.interface?.name === name && rules++);
    return {
      name,
      skip: kif.skip === 1,
      cleared: kif.cleared / SECOND,
      states,
      rules,
      traffic: {
        inPass: pair(kif.inPass, kif.inPassBytes),
        inBlock: pair(kif.inBlock, kif.inBlockBytes),
        outPass: pair(kif.outPass, kif.outPassBytes),
        outBlock: pair(kif.outBlock, kif.outBlockBytes),
      },
    };
  });
}

function setLimit(pf: Pf, name: PfLimit, value: number): number {
  const inUse = {
    states: pf.states,
    'src-nodes': pf.sourceNodes,
    frags: pf.fragments,
    tables: 0,
    'table-entries': 0,
  };
  if (value !== 0 && value < inUse[name])
    throw new SystemError(ERRNO.EBUSY, `${name}: ${inUse[name]} are in use, more than ${value}`);
  const old = limitOf(pf, name);
  setLimitOf(pf, name, value);
  return old;
}

function timeouts(pf: Pf): Record<PfTimeout, number> {
  return Object.fromEntries(PF_TIMEOUTS.map((name, i) => [name, timeoutOf(pf, i)])) as Record<
    PfTimeout,
    number
  >;
}

const handlers: Handlers = {
  DIOCSTART(pf) {
    if (!enable(pf)) throw new SystemError(ERRNO.EEXIST, 'pf is enabled already');
    return NOTHING;
  },
  DIOCSTOP(pf) {
    if (!disable(pf)) throw new SystemError(ERRNO.ENOENT, 'pf is not enabled');
    return NOTHING;
  },
  DIOCGETSTATUS: status,
  DIOCCLRSTATUS(pf) {
    clearCounts(pf);
    pf.since = now();
    return NOTHING;
  },
  DIOCSETSTATUSIF(pf, { interface: name }) {
    putText(pf.statusInterface, IFNAME, name ?? '');
    if (name !== undefined && makeKif(pf, name) === 0) throw new SystemError(ERRNO.ENOBUFS, name);
    return NOTHING;
  },
  DIOCSETDEBUG(pf, { level }) {
    pf.debug = Math.max(0, DEBUG.indexOf(level));
    return NOTHING;
  },
  DIOCSETHOSTID(pf, { hostid }) {
    pf.hostid = hostid;
    return NOTHING;
  },
  DIOCSETGENERATION(pf, { generation }) {
    pf.generation42 = generation === '4.2' ? 1 : 0;
    return NOTHING;
  },
  DIOCGETGENERATION: (pf) => ({ generation: pf.generation42 === 1 ? '4.2' : '3.7' }),
  DIOCSETTIMEOUT(pf, { name, value }) {
    const index = PF_TIMEOUTS.indexOf(name);
    if (index < 0 || !Number.isInteger(value) || value < 0)
      throw new SystemError(ERRNO.EINVAL, `${name} ${value}`);
    const old = timeoutOf(pf, index);
    setTimeoutOf(pf, index, value);
    if (name === 'interval' && pf.running === 1) schedule(pf);
    return { old };
  },
  DIOCGETTIMEOUTS: timeouts,
  DIOCSETLIMIT: (pf, { name, value }) => ({ old: setLimit(pf, name, value) }),
  DIOCGETLIMITS: (pf) =>
    Object.fromEntries(PF_LIMITS.map((name) => [name, limitOf(pf, name)])) as Record<PfLimit, number>,
  DIOCSETSKIP(pf, { interfaces }) {
    setSkip(pf, interfaces);
    return NOTHING;
  },
  DIOCGETINTERFACES: listInterfaces,
  DIOCXBEGIN: (pf, { lists: wanted }) => ({ ticket: begin(pf, wanted) }),
  DIOCADDRULES(pf, { ticket, anchor, part, rules, uid = 0, pid = 0 }) {
    addRules(pf, ticket, { anchor, part }, rules, { uid, pid });
    return NOTHING;
  },
  DIOCADDTABLES(pf, { ticket, anchor, tables }) {
    addTables(pf, ticket, anchor, tables);
    return NOTHING;
  },
  DIOCADDTABLEADDRS(pf, { ticket, anchor, table, addresses }) {
    addTableAddresses(pf, ticket, anchor, table, addresses);
    return NOTHING;
  },
  DIOCADDALTQ(pf, { ticket, altqs, queues }) {
    addAltq(pf, ticket, altqs, queues);
    return NOTHING;
  },
  DIOCXCOMMIT(pf, { ticket }) {
    const before = pf.altq;
    if (pf.altqPending !== 0) removeQueues(pf);
    commit(pf, ticket);
    if (pf.altq !== before && pf.running === 1) applyQueues(pf);
    return NOTHING;
  },
  DIOCXROLLBACK(pf, { ticket }) {
    if (ticket === pf.openTicket) rollBack(pf);
    return NOTHING;
  },
  DIOCGETRULES: getRules,
  DIOCCLRRULECTRS(pf) {
    clearRules(pf);
    return NOTHING;
  },
  DIOCGETRULESETS: (pf, { anchor }) => ({ names: ruleSets(pf, anchor) }),
  DIOCGETALTQS: (pf) => ({ altqs: loadedAltq(pf).altqs, queues: listQueues(pf) }),
  DIOCGETSTATES: getStates,
  DIOCCLRSTATES: (pf, { interface: name }) => ({ killed: removeStates(pf, (state) => isOn(name, state)) }),
  DIOCKILLSTATES: (pf, { id, interface: name, source, destination }) => ({
    killed: removeStates(pf, (state) => {
      if (id !== undefined && stateId(state) !== id) return false;
      const [from, to] = endsOf(state);
      return isOn(name, state) && isIn(source, from) && (destination === undefined || isIn(destination, to));
    }),
  }),
  DIOCGETSRCNODES(pf) {
    const nodes: PfControlOut<'DIOCGETSRCNODES'>[number][] = [];
    eachSource(pf, (node) => nodes.push(sourceInfo(node)));
    return nodes;
  },
  DIOCCLRSRCNODES: (pf) => ({ removed: removeSources(pf, () => true) }),
  DIOCKILLSRCNODES: (pf, { source, destination }) => ({
    killed: removeSources(
      pf,
      ({ address, target, chosen }) =>
        isIn(source, address) && (destination === undefined || (chosen === 1 && isIn(destination, target))),
    ),
  }),
  DIOCNATLOOK: natLook,
  DIOCRGETTSTATS: (pf, { anchor, table }) => listTables(pf, anchor, table, rulesOfTable(pf)),
  DIOCRADDADDRS: (pf, argument) =>
    addAddresses(pf, argument, argument.addresses, argument.create === true, argument.dryRun === true),
  DIOCRDELADDRS: (pf, argument) =>
    deleteAddresses(pf, argument, argument.addresses, argument.dryRun === true),
  DIOCRSETADDRS: (pf, argument) =>
    setAddresses(pf, argument, argument.addresses, argument.create === true, argument.dryRun === true),
  DIOCRCLRADDRS: (pf, argument) => ({ deleted: clearAddresses(pf, argument, argument.dryRun === true) }),
  DIOCRGETASTATS: (pf, argument) =>
    listAddresses(pf, argument, argument.first, Math.min(argument.count, MOST_IN_CALL)),
  DIOCRCLRASTATS: (pf, argument) => clearAddressCounters(pf, argument, argument.addresses),
  DIOCRTSTADDRS: (pf, argument) => testAddresses(pf, argument, argument.addresses),
  DIOCREXPIRE: (pf, argument) => ({
    deleted: expireAddresses(pf, argument, argument.seconds, argument.dryRun === true),
  }),
  DIOCRCLRTSTATS: (pf, { anchor, table }) => ({ zeroed: clearTables(pf, anchor, table) }),
  DIOCRDELTABLES: (pf, { anchor, table, dryRun }) => ({
    deleted: killTables(pf, anchor, table, dryRun === true, rulesOfTable(pf)),
  }),
  DIOCOSFPGET: listFingerprints,
  DIOCOSFPFLUSH(pf) {
    if (loadFingerprints(pf, []) === undefined) throw new SystemError(ERRNO.ENOBUFS, 'no room');
    return NOTHING;
  },
  DIOCOSFPADD(pf, { lines }) {
    const loaded = loadFingerprints(pf, lines);
    if (loaded === undefined) throw new SystemError(ERRNO.ENOBUFS, 'no room for fingerprints');
    return { loaded };
  },
};

/** Carries out a call by its name. */
export function runControl(pf: Pf, command: string, argument: unknown): unknown {
  if (!Object.hasOwn(handlers, command)) throw new SystemError(ERRNO.ENOTTY, command);
  const run = handlers[command as PfControl] as (pf: Pf, argument: unknown) => unknown;
  return run(pf, argument ?? {});
}
