/**
 * What pfctl and lsm-pf say to each other at /dev/pf (pf(4)): the calls as devctl commands with typed records that travel as JSON. Rule sets are loaded in
 * transactions: DIOCXBEGIN names the lists that are replaced, DIOCADDRULES and its like fill them, DIOCXCOMMIT makes all of them valid at once; DIOCXROLLBACK, or the end of
 * the connection, leaves everything as it was. Addresses are text, ports numbers in host order, times s unless said otherwise. A call that fails answers with an errno
 * and a text.
 */
import type {
  PfAltq,
  PfFamily,
  PfGeneration,
  PfLimit,
  PfOptions,
  PfPart,
  PfQueue,
  PfRule,
  PfTable,
  PfTableAddress,
  PfTimeout,
} from './ruleset.ts';

/** Why packets were dropped, in the order of `pfctl -s info`. */
export const PF_REASONS = [
  'match',
  'bad-offset',
  'fragment',
  'short',
  'normalize',
  'memory',
  'bad-timestamp',
  'congestion',
  'ip-option',
  'proto-cksum',
  'state-mismatch',
  'state-insert',
  'state-limit',
  'src-limit',
  'synproxy',
] as const;
export type PfReason = (typeof PF_REASONS)[number];

/** Counters of limits, `pfctl -vs info`. */
export const PF_LIMIT_COUNTERS = [
  'max states per rule',
  'max-src-states',
  'max-src-nodes',
  'max-src-conn',
  'max-src-conn-rate',
  'overload table insertion',
  'overload flush states',
] as const;
export type PfLimitCounter = (typeof PF_LIMIT_COUNTERS)[number];

/** Packets and bytes, in and out. */
export interface PfTraffic {
  readonly in: { readonly packets: number; readonly bytes: number };
  readonly out: { readonly packets: number; readonly bytes: number };
}

export interface PfStatus {
  readonly enabled: boolean;
  /** Since it was enabled, or disabled. */
  readonly seconds: number;
  readonly debug: NonNullable<PfOptions['debug']>;
  readonly hostid: number;
  readonly states: number;
  readonly sourceNodes: number;
  /** State table: searches, inserts, removals; the same of source tracking. */
  readonly search: number;
  readonly insert: number;
  readonly removals: number;
  readonly sourceSearch: number;
  readonly sourceInsert: number;
  readonly sourceRemovals: number;
  readonly reasons: Readonly<Record<PfReason, number>>;
  readonly limitCounters: Readonly<Record<PfLimitCounter, number>>;
  /** `set loginterface`. */
  readonly logInterface?: {
    readonly name: string;
    readonly bytes: { readonly in: number; readonly out: number };
    readonly passed: { readonly in: number; readonly out: number };
    readonly blocked: { readonly in: number; readonly out: number };
  };
}

/** A rule as it is loaded, with its counters. */
export interface PfRuleInfo {
  readonly number: number;
  readonly rule: PfRule;
  readonly evaluations: number;
  readonly packets: number;
  readonly bytes: number;
  /** States that it has now. */
  readonly states: number;
  readonly statesMade: number;
  readonly sourceNodes: number;
  /** Who loaded it. */
  readonly uid: number;
  readonly pid: number;
}

/** One end of a state. */
export interface PfEndpoint {
  readonly address: string;
  readonly port: number;
}

/** What is known of the side that sent the first packet (src), or of the other (dst). */
export interface PfPeer {
  /** Number of the state: of TCP 0..10 (CLOSED .. TIME_WAIT), 2 PROXY_SRC / 3 PROXY_DST as `state` text below says; of others 0..2. */
  readonly state: number;
  readonly seqLow: number;
  readonly seqHigh: number;
  /** Added to its sequence numbers (modulate state). */
  readonly seqDiff: number;
  readonly maxWindow: number;
  readonly windowScale: number;
}

export interface PfStateInfo {
  /** 16 hexadecimal digits. */
  readonly id: string;
  readonly creatorId: number;
  /** Interface it is bound to, `all` for floating states. */
  readonly interface: string;
  readonly af: PfFamily;
  readonly protocol: number;
  readonly direction: 'in' | 'out';
  /** Our side before translation, as seen from outside, and the other side. */
  readonly lan: PfEndpoint;
  readonly gateway: PfEndpoint;
  readonly external: PfEndpoint;
  readonly source: PfPeer;
  readonly destination: PfPeer;
  /** `ESTABLISHED:ESTABLISHED`, `PROXY:SRC`, `MULTIPLE:SINGLE`, `0:0`. */
  readonly state: string;
  readonly age: number;
  readonly expires: number;
  readonly packets: { readonly forward: number; readonly backward: number };
  readonly bytes: { readonly forward: number; readonly backward: number };
  /** Number of its rule, absent if that is gone; of its anchor and translation rule. */
  readonly rule?: number;
  readonly anchorRule?: number;
  readonly natRule?: number;
  /** Line of the rule in pf.conf. */
  readonly line?: number;
  readonly sourceTracked: boolean;
  readonly sticky: boolean;
}

export interface PfSourceNodeInfo {
  readonly address: string;
  /** What sticky-address has chosen for it. */
  readonly target?: string;
  readonly states: number;
  readonly connections: number;
  readonly rate?: { readonly count: number; readonly limit: number; readonly seconds: number };
  readonly age: number;
  readonly expires: number;
  readonly packets: number;
  readonly bytes: number;
  readonly kind: 'filter' | 'nat' | 'rdr';
  readonly rule?: number;
}

/** Packets and bytes of a table or one of its addresses, by direction and fate. */
export interface PfTableTraffic {
  readonly inBlock: { readonly packets: number; readonly bytes: number };
  readonly inPass: { readonly packets: number; readonly bytes: number };
  readonly inXPass: { readonly packets: number; readonly bytes: number };
  readonly outBlock: { readonly packets: number; readonly bytes: number };
  readonly outPass: { readonly packets: number; readonly bytes: number };
  readonly outXPass: { readonly packets: number; readonly bytes: number };
}

export interface PfTableInfo {
  readonly name: string;
  readonly anchor: string;
  readonly const: boolean;
  readonly persist: boolean;
  readonly active: boolean;
  readonly inactive: boolean;
  readonly referenced: boolean;
  /** It hides one of the main rule set. */
  readonly hidden: boolean;
  readonly addresses: number;
  /** When its counters were zeroed: seconds of the lab's clock since its beginning. */
  readonly cleared: number;
  readonly references: { readonly anchors: number; readonly rules: number };
  readonly match: number;
  readonly noMatch: number;
  readonly traffic: PfTableTraffic;
}

export interface PfTableAddressInfo extends PfTableAddress {
  readonly cleared: number;
  readonly traffic: PfTableTraffic;
}

/** What became of each address: `pfctl -v` marks A added, C changed, D deleted, M matched, X no match, Y duplicate, Z cleared. */
export type PfFeedback =
  'added' | 'changed' | 'deleted' | 'match' | 'no match' | 'duplicate' | 'none' | 'cleared';

export interface PfTableResult {
  readonly added: number;
  readonly deleted: number;
  readonly changed: number;
  /** One for each address given; for `replace` also the addresses that went. */
  readonly feedback: readonly { readonly address: PfTableAddress; readonly result: PfFeedback }[];
}

export interface PfQueueInfo {
  readonly queue: PfQueue;
  readonly packets: number;
  readonly bytes: number;
  readonly droppedPackets: number;
  readonly droppedBytes: number;
  readonly length: number;
  readonly borrows: number;
  readonly suspends: number;
}

export interface PfFingerprint {
  readonly class: string;
  readonly version: string;
  readonly subtype: string;
}

/** A table in an anchor. */
interface TableName {
  readonly anchor: string;
  readonly table: string;
}

type Empty = Record<string, never>;

export interface PfControlMap {
  /** EEXIST when it is enabled already. */
  DIOCSTART: { in: Empty; out: Empty };
  /** ENOENT when it is disabled already. */
  DIOCSTOP: { in: Empty; out: Empty };
  DIOCGETSTATUS: { in: Empty; out: PfStatus };
  DIOCCLRSTATUS: { in: Empty; out: Empty };
  /** undefined: none. */
  DIOCSETSTATUSIF: { in: { interface?: string }; out: Empty };
  DIOCSETDEBUG: { in: { level: NonNullable<PfOptions['debug']> }; out: Empty };
  DIOCSETHOSTID: { in: { hostid: number }; out: Empty };
  /** How `block` without more, states and the like behave that rules inherit: kept to be shown. */
  DIOCSETGENERATION: { in: { generation: PfGeneration }; out: Empty };
  DIOCGETGENERATION: { in: Empty; out: { generation: PfGeneration } };
  DIOCSETTIMEOUT: { in: { name: PfTimeout; value: number }; out: { old: number } };
  DIOCGETTIMEOUTS: { in: Empty; out: Record<PfTimeout, number> };
  /** EBUSY when more are in use. */
  DIOCSETLIMIT: { in: { name: PfLimit; value: number }; out: { old: number } };
  DIOCGETLIMITS: { in: Empty; out: Record<PfLimit, number> };
  /** Interfaces that are not filtered: those named are, the others are not any more. */
  DIOCSETSKIP: { in: { interfaces: readonly string[] }; out: Empty };
  DIOCGETINTERFACES: {
    in: Empty;
    out: readonly {
      name: string;
      skip: boolean;
      cleared: number;
      states: number;
      rules: number;
      traffic: {
        inPass: PfTraffic['in'];
        inBlock: PfTraffic['in'];
        outPass: PfTraffic['in'];
        outBlock: PfTraffic['in'];
      };
    }[];
  };

  DIOCXBEGIN: {
    in: { lists: readonly { anchor: string; part: PfPart | 'altq' | 'tables' }[] };
    out: { ticket: number };
  };
  /** Appends rules to a list of the transaction; at most 256 in a call. */
  DIOCADDRULES: {
    in: {
      ticket: number;
      anchor: string;
      part: PfPart;
      rules: readonly PfRule[];
      uid?: number;
      pid?: number;
    };
    out: Empty;
  };
  /** Defines tables of the transaction; addresses beyond 1,000 go with DIOCADDTABLEADDRS. */
  DIOCADDTABLES: { in: { ticket: number; anchor: string; tables: readonly PfTable[] }; out: Empty };
  DIOCADDTABLEADDRS: {
    in: { ticket: number; anchor: string; table: string; addresses: readonly PfTableAddress[] };
    out: Empty;
  };
  DIOCADDALTQ: { in: { ticket: number; altqs: readonly PfAltq[]; queues: readonly PfQueue[] }; out: Empty };
  DIOCXCOMMIT: { in: { ticket: number }; out: Empty };
  DIOCXROLLBACK: { in: { ticket: number }; out: Empty };

  /** Rules from number `first`, at most `count`; `clear` zeroes their counters (-z). */
  DIOCGETRULES: {
    in: { anchor: string; part: PfPart; first: number; count: number; clear?: boolean };
    out: { total: number; rules: readonly PfRuleInfo[] };
  };
  DIOCCLRRULECTRS: { in: Empty; out: Empty };
  /** Names of the anchors directly below one. */
  DIOCGETRULESETS: { in: { anchor: string }; out: { names: readonly string[] } };
  DIOCGETALTQS: {
    in: Empty;
    out: { altqs: readonly PfAltq[]; queues: readonly PfQueueInfo[] };
  };

  /** States after the one with id `after` (undefined: from the first), at most `count`. */
  DIOCGETSTATES: {
    in: { after?: string; count: number };
    out: { total: number; states: readonly PfStateInfo[] };
  };
  /** Removes all states, or those of an interface. */
  DIOCCLRSTATES: { in: { interface?: string }; out: { killed: number } };
  /** Removes the states whose source (and destination) is in these networks; with `id` only the one that has it. */
  DIOCKILLSTATES: {
    in: { id?: string; interface?: string; source: PfTableAddress; destination?: PfTableAddress };
    out: { killed: number };
  };
  DIOCGETSRCNODES: { in: Empty; out: readonly PfSourceNodeInfo[] };
  DIOCCLRSRCNODES: { in: Empty; out: { removed: number } };
  /** 4.2 (-K): removes the source nodes of these networks from all states. */
  DIOCKILLSRCNODES: { in: { source: PfTableAddress; destination?: PfTableAddress }; out: { killed: number } };
  /** What a connection was translated from; ENOENT if there is no such state. */
  DIOCNATLOOK: {
    in: { protocol: number; source: PfEndpoint; destination: PfEndpoint; direction: 'in' | 'out' };
    out: { source: PfEndpoint; destination: PfEndpoint };
  };

  DIOCRGETTSTATS: { in: { anchor: string; table?: string }; out: readonly PfTableInfo[] };
  /** `create`: makes the table if it is missing, persistent. */
  DIOCRADDADDRS: {
    in: TableName & { addresses: readonly PfTableAddress[]; create?: boolean; dryRun?: boolean };
    out: PfTableResult & { created: boolean };
  };
  DIOCRDELADDRS: {
    in: TableName & { addresses: readonly PfTableAddress[]; dryRun?: boolean };
    out: PfTableResult;
  };
  DIOCRSETADDRS: {
    in: TableName & { addresses: readonly PfTableAddress[]; create?: boolean; dryRun?: boolean };
    out: PfTableResult & { created: boolean };
  };
  DIOCRCLRADDRS: { in: TableName & { dryRun?: boolean }; out: { deleted: number } };
  /** Addresses after the first `first`, at most `count`. */
  DIOCRGETASTATS: {
    in: TableName & { first: number; count: number };
    out: { total: number; addresses: readonly PfTableAddressInfo[] };
  };
  DIOCRCLRASTATS: { in: TableName & { addresses: readonly PfTableAddress[] }; out: PfTableResult };
  DIOCRTSTADDRS: {
    in: TableName & { addresses: readonly PfTableAddress[] };
    out: { matched: number; feedback: PfTableResult['feedback'] };
  };
  /** Removes addresses that have not been in use for `seconds` (4.2, -T expire). */
  DIOCREXPIRE: { in: TableName & { seconds: number; dryRun?: boolean }; out: { deleted: number } };
  DIOCRCLRTSTATS: { in: { anchor: string; table?: string }; out: { zeroed: number } };
  /** Kills a table, or all tables of an anchor; those that rules use stay, empty. */
  DIOCRDELTABLES: { in: { anchor: string; table?: string; dryRun?: boolean }; out: { deleted: number } };

  DIOCOSFPGET: { in: Empty; out: readonly PfFingerprint[] };
  DIOCOSFPFLUSH: { in: Empty; out: Empty };
  /** Loads fingerprints: lines of pf.os(5). */
  DIOCOSFPADD: { in: { lines: readonly string[] }; out: { loaded: number } };
}
export type PfControl = keyof PfControlMap;
export type PfControlIn<N extends PfControl> = PfControlMap[N]['in'];
export type PfControlOut<N extends PfControl> = PfControlMap[N]['out'];
