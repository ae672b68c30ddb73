/**
 * What PF keeps in the one memory: its record on each stack, states, source nodes, rule lists with the counters of their rules. Everything is touched in the stack context
 * only. Rules themselves are text (JSON) in pages: each thread makes objects of them when it first needs them (rules.ts).
 */
import { slab } from '../../memory/slab.ts';
import { struct } from '../../memory/struct.ts';
import type { ViewOf } from '../../memory/struct.ts';
import { CALLOUT_BYTES } from '../../runtime/wheel.ts';
import { PF_LIMIT_COUNTERS, PF_REASONS } from '../../filter/pf/ioctl.ts';
import { PF_LIMITS, PF_TIMEOUTS } from '../../filter/pf/ruleset.ts';

export const IFNAME = 16;

/** Most buckets of a state table: 64 pages of 1,024. */
export const STATE_PAGES = 64;
export const BUCKETS_PER_PAGE = 1024;

export const pfStruct = struct('pf', {
  next: 'ptr',
  nextpkt: 'ptr',
  stack: 'ptr',
  running: 'u8',
  debug: 'u8',
  /** 1: rules of the 4.2 generation. */
  generation42: 'u8',
  /** When it was enabled or disabled, ns. */
  since: 'f64',
  hostid: 'u32',
  /** Changes with every change of rules, anchors or tables: what threads have made of them is stale. */
  generation: 'u32',
  /** Last ticket, and that of the transaction under way: 0 for none. */
  ticket: 'u32',
  openTicket: 'u32',
  /** First anchor record, first table. */
  anchors: 'ptr',
  tables: 'ptr',
  /** All states, oldest first; both hash tables have the same number of pages, and grow. */
  firstState: 'ptr',
  lastState: 'ptr',
  states: 'u32',
  statePages: 'u32',
  lanPages: { bytes: STATE_PAGES * 4 },
  extPages: { bytes: STATE_PAGES * 4 },
  nextStateId: 'f64',
  sourceNodes: 'u32',
  firstSource: 'ptr',
  /** Their hash table: a page, 0 while there are none. */
  sourceTable: 'ptr',
  /** Incomplete datagrams that scrub holds, and their fragments. */
  fragmentQueues: 'ptr',
  fragments: 'u32',
  /** Interfaces as PF knows them: those named in `set skip`, those counted. */
  kifs: 'ptr',
  statusInterface: { bytes: IFNAME },
  /** Altq and fingerprints as JSON in pages. */
  altq: 'ptr',
  altqBytes: 'u32',
  altqPending: 'ptr',
  altqPendingBytes: 'u32',
  fingerprints: 'ptr',
  fingerprintBytes: 'u32',
  /** Names of tags by number: JSON in pages. */
  tags: 'ptr',
  tagBytes: 'u32',
  pflog: 'ptr',
  timeouts: { bytes: PF_TIMEOUTS.length * 4 },
  limits: { bytes: PF_LIMITS.length * 4 },
  reasons: { bytes: PF_REASONS.length * 8 },
  limitCounters: { bytes: PF_LIMIT_COUNTERS.length * 8 },
  search: 'f64',
  insert: 'f64',
  removals: 'f64',
  sourceSearch: 'f64',
  sourceInsert: 'f64',
  sourceRemovals: 'f64',
  purge: { bytes: CALLOUT_BYTES },
});
export type Pf = ViewOf<typeof pfStruct>;
export const pfs = slab(pfStruct, 2048);

/** Bytes of a page that hold data, or 1,024 buckets. */
export const PAGE_DATA = 4096;
export const pageStruct = struct('pfpage', { next: 'ptr', nextpkt: 'ptr', data: { bytes: PAGE_DATA } });
export const pages = slab(pageStruct, 8192);

/** A rule's counters. They stay while a state refers to them, longer perhaps than the rule is loaded. */
export const ruleStruct = struct('pfrule', {
  list: 'ptr',
  number: 'u32',
  states: 'u32',
  sourceNodes: 'u32',
  evaluations: 'f64',
  /** How often this rule and all behind it in the list were looked at, beside what `evaluations` of each says; negative where such a walk ended. */
  passedOver: 'f64',
  packetsIn: 'f64',
  packetsOut: 'f64',
  bytesIn: 'f64',
  bytesOut: 'f64',
  statesMade: 'f64',
  /** Which address of its pool comes next (round-robin), as index and offset. */
  poolIndex: 'u32',
  poolCounter: 'u32',
});
export type RuleRecord = ViewOf<typeof ruleStruct>;
export const RULES_PER_PAGE = Math.floor(PAGE_DATA / ruleStruct.size);

/** One list of rules: a part (PF_PARTS) of an anchor. */
export const listStruct = struct('pflist', {
  next: 'ptr',
  nextpkt: 'ptr',
  pf: 'ptr',
  /** Its text, and its rules' counters, in pages. */
  text: 'ptr',
  bytes: 'u32',
  records: 'ptr',
  count: 'u32',
  /** Tells it from lists that had this record before. */
  serial: 'u32',
  /** States and source nodes that refer to its rules; 1 more while it is loaded. */
  references: 'u32',
  uid: 'u32',
  pid: 'u32',
});
export type ListRecord = ViewOf<typeof listStruct>;
export const lists = slab(listStruct, 8192);

export const ANCHOR_PATH = 256;
/** An anchor: the main rule set has the path ''. Lists by the order of PF_PARTS; those of a transaction beside the valid ones. */
export const anchorStruct = struct('pfanchor', {
  next: 'ptr',
  nextpkt: 'ptr',
  lists: { bytes: 5 * 4 },
  pending: { bytes: 5 * 4 },
  /** 1 for each list that the transaction replaces, and for its tables. */
  replaces: { bytes: 6 },
  path: { bytes: ANCHOR_PATH },
});
export type AnchorRecord = ViewOf<typeof anchorStruct>;
export const anchors = slab(anchorStruct, 4096);

/** An interface as PF knows it. */
export const kifStruct = struct('pfkif', {
  next: 'ptr',
  nextpkt: 'ptr',
  name: { bytes: IFNAME },
  skip: 'u8',
  cleared: 'f64',
  inPass: 'f64',
  inPassBytes: 'f64',
  inBlock: 'f64',
  inBlockBytes: 'f64',
  outPass: 'f64',
  outPassBytes: 'f64',
  outBlock: 'f64',
  outBlockBytes: 'f64',
});
export type Kif = ViewOf<typeof kifStruct>;
export const kifs = slab(kifStruct, 8192);

/** What one side of a state has sent. Sequence numbers are unsigned. */
export const peerStruct = struct('pfpeer', {
  /** Highest sequence number it has sent, and that the other side lets it send; what is added to its numbers (modulate state). */
  low: 'u32',
  high: 'u32',
  diff: 'u32',
  /** Largest window it has offered, as in the header. */
  window: 'u32',
  /** Shift of its windows, with SCALE_KNOWN once it has said it. */
  scale: 'u8',
  state: 'u8',
  mss: 'u16',
  /** TCP normalisation (`reassemble tcp`): least TTL seen; 1 once it has sent timestamps; what is added to those; the last one. */
  ttl: 'u8',
  stamped: 'u8',
  stampOffset: 'u32',
  stampLast: 'u32',
  stampTime: 'f64',
});
export type Peer = ViewOf<typeof peerStruct>;

export const stateStruct = struct('pfstate', {
  /** Next state in its bucket of the table by lan and external address, and of that by external and gateway address. */
  lanNext: 'ptr',
  extNext: 'ptr',
  lanHash: 'i32',
  extHash: 'i32',
  pf: 'ptr',
  previous: 'ptr',
  following: 'ptr',
  /** Of its rule, the anchor it came through, and its translation: counters (ruleStruct), 0 for none. */
  rule: 'ptr',
  anchorRule: 'ptr',
  natRule: 'ptr',
  source: 'ptr',
  natSource: 'ptr',
  /** Interface it is bound to, 0 for any. */
  ifp: 'ptr',
  /** Of route-to, reply-to and dup-to. */
  routeIfp: 'ptr',
  routeTo: 'u32',
  /** Host order. lan: our side as it is; gateway: as the outside sees it; external: the other side. */
  lanAddress: 'u32',
  gatewayAddress: 'u32',
  externalAddress: 'u32',
  lanPort: 'u16',
  gatewayPort: 'u16',
  externalPort: 'u16',
  tag: 'u16',
  queue: 'u16',
  priorityQueue: 'u16',
  protocol: 'u8',
  /** PFIL_IN or PFIL_OUT: of the packet that made it. */
  direction: 'u8',
  /** Index of its time-out. */
  timeout: 'u8',
  /** STATE_* flags. */
  flags: 'u8',
  log: 'u8',
  /** The side that sent the first packet, and the other (peerStruct). */
  src: { bytes: peerStruct.size },
  dst: { bytes: peerStruct.size },
  /** ns. */
  made: 'f64',
  touched: 'f64',
  id: 'f64',
  packetsForward: 'f64',
  packetsBackward: 'f64',
  bytesForward: 'f64',
  bytesBackward: 'f64',
});
export type State = ViewOf<typeof stateStruct>;
export const stateRecords = slab(stateStruct, 131_072);

const peers: Peer[] = [];

/** The side of a state that sent its first packet, or the other one; a view for each per thread. */
export function peerOf(state: State, first: boolean): Peer {
  const index = 2 * stateRecords.indexOf(state.ptr) + (first ? 0 : 1);
  for (let i = peers.length; i <= index; i++) {
    const record = stateRecords.base + (i >>> 1) * stateStruct.size;
    peers.push(peerStruct.at(record + ((i & 1) === 0 ? stateStruct.offsets.src : stateStruct.offsets.dst)));
  }
  return peers[index]!;
}

/** Options of IP are let pass; the synproxy is to finish; counted as a connection of its source. */
export const STATE_ALLOW_OPTS = 1;
export const STATE_CONNECTION_COUNTED = 2;
export const STATE_NORMALISE = 4;
export const STATE_NO_SYNC = 8;

/** A source that is tracked: for `source-track`, or what sticky-address has chosen. */
export const sourceStruct = struct('pfsource', {
  next: 'ptr',
  nextpkt: 'ptr',
  previous: 'ptr',
  /** Next in its bucket. */
  hashNext: 'ptr',
  pf: 'ptr',
  /** Rule (counters) it is tracked for; 0: source-track global. */
  rule: 'ptr',
  kind: 'u8',
  address: 'u32',
  /** What a pool has chosen for it; valid if `chosen` is 1. */
  target: 'u32',
  chosen: 'u8',
  states: 'u32',
  connections: 'u32',
  /** Connection rate: limit, period (s), count (scaled) and when it was last changed (s). */
  rateLimit: 'u32',
  rateSeconds: 'u32',
  rateCount: 'f64',
  rateLast: 'f64',
  made: 'f64',
  /** When it may go, ns; 0 while it has states. */
  expires: 'f64',
  packets: 'f64',
  bytes: 'f64',
});
export type SourceNode = ViewOf<typeof sourceStruct>;
export const sourceNodes = slab(sourceStruct, 32_768);
