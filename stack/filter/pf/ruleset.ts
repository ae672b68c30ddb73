/**
 * A PF rule set as data: what pf.conf(5) says once macros are replaced and lists are multiplied out. The parser makes it, pfctl and the window show it, lsm-pf
 * evaluates it. Plain records that can be sent as JSON; absent means "not given". Addresses are text in canonical form, ports and protocols numbers in host order.
 */

/** Which PF: that of OpenBSD 3.7, as io-pkt has it, or of 4.2, where a pass rule keeps state by itself. */
export type PfGeneration = '3.7' | '4.2';

export type PfFamily = 'inet' | 'inet6';

/** `a:b` includes both ends, `a><b` excludes them, `a<>b` is everything outside. */
export type PfOperatorName = '=' | '!=' | '<' | '<=' | '>' | '>=' | ':' | '><' | '<>';

/** A condition on a port, a user or a group; `b` only where two numbers are needed. */
export interface PfOperator {
  readonly op: PfOperatorName;
  readonly a: number;
  readonly b?: number;
}
/** The number of a user or group `unknown`: packets that belong to no socket. */
export const PF_UNKNOWN_ID = 0xffff_ffff;

/** What follows the name of an interface that stands for its addresses. */
export type PfInterfaceModifier = 'network' | 'broadcast' | 'peer' | '0';

export type PfAddress =
  | { readonly kind: 'any' }
  | { readonly kind: 'no-route' }
  | { readonly kind: 'urpf-failed' }
  | { readonly kind: 'network'; readonly af: PfFamily; readonly address: string; readonly length: number }
  | { readonly kind: 'range'; readonly af: PfFamily; readonly first: string; readonly last: string }
  | { readonly kind: 'table'; readonly name: string }
  /** `(if)`: the addresses that the interface has at the time. */
  | {
      readonly kind: 'dynamic';
      readonly interface: string;
      readonly modifiers: readonly PfInterfaceModifier[];
      /** Prefix length that replaces those of the addresses. */
      readonly length?: number;
    }
  | { readonly kind: 'route-label'; readonly label: string };

/** One end of a rule. */
export interface PfHost {
  readonly address: PfAddress;
  readonly not?: true;
  readonly port?: PfOperator;
}

export type PfPoolType = 'bitmask' | 'random' | 'source-hash' | 'round-robin';

export interface PfPoolAddress {
  readonly address: PfAddress;
  /** Of route-to and its like: where packets leave. */
  readonly interface?: string;
}

/** Addresses to translate to, or next hops. */
export interface PfPool {
  readonly addresses: readonly PfPoolAddress[];
  readonly type?: PfPoolType;
  /** Of source-hash: 32 hexadecimal digits. */
  readonly key?: string;
  readonly sticky?: true;
  /** Of nat: source ports are kept. */
  readonly staticPort?: true;
  /** `port a:b`; rdr `port p:*` has `open` set: the range begins at `a` and is as long as that of the rule. */
  readonly port?: { readonly a: number; readonly b?: number; readonly open?: true };
}

/** How a packet that is blocked is answered. Codes are `type * 256 + code`. */
export type PfReturn =
  | { readonly kind: 'drop' }
  /** RST to TCP, port unreachable to UDP, nothing to others. */
  | { readonly kind: 'return' }
  | { readonly kind: 'return-rst'; readonly ttl?: number }
  | { readonly kind: 'return-icmp'; readonly icmp: number; readonly icmp6: number };

export type PfRouteKind = 'fastroute' | 'route-to' | 'reply-to' | 'dup-to';

export type PfStateKind = 'no' | 'keep' | 'modulate' | 'synproxy';

/** Time-outs of `set timeout` and of rules, in the order of `pfctl -s timeouts`; s, and states for the adaptive ones. */
export const PF_TIMEOUTS = [
  'tcp.first',
  'tcp.opening',
  'tcp.established',
  'tcp.closing',
  'tcp.finwait',
  'tcp.closed',
  'tcp.tsdiff',
  'udp.first',
  'udp.single',
  'udp.multiple',
  'icmp.first',
  'icmp.error',
  'other.first',
  'other.single',
  'other.multiple',
  'frag',
  'interval',
  'adaptive.start',
  'adaptive.end',
  'src.track',
] as const;
export type PfTimeout = (typeof PF_TIMEOUTS)[number];
/** Those that a rule may set for its states. */
export const PF_STATE_TIMEOUTS: readonly PfTimeout[] = PF_TIMEOUTS.filter(
  (name) => name !== 'frag' && name !== 'interval' && name !== 'src.track',
);

export interface PfStateOptions {
  readonly max?: number;
  readonly timeouts?: Readonly<Partial<Record<PfTimeout, number>>>;
  readonly sourceTrack?: 'rule' | 'global';
  readonly maxSrcNodes?: number;
  readonly maxSrcStates?: number;
  readonly maxSrcConn?: number;
  readonly maxSrcConnRate?: { readonly limit: number; readonly seconds: number };
  readonly overload?: { readonly table: string; readonly flush?: 'rule' | 'global' };
  readonly binding?: 'if-bound' | 'group-bound' | 'floating';
  readonly noSync?: true;
}

export type PfFragmentHandling = 'reassemble' | 'crop' | 'drop-ovl';

export interface PfScrubOptions {
  readonly noDf?: true;
  readonly randomId?: true;
  readonly minTtl?: number;
  readonly maxMss?: number;
  readonly reassembleTcp?: true;
  readonly fragment: PfFragmentHandling;
}

/** Which list of an anchor a rule belongs to. Translation of packets going out looks at binat, then nat; of those coming in at rdr, then binat. */
export const PF_PARTS = ['scrub', 'nat', 'binat', 'rdr', 'filter'] as const;
export type PfPart = (typeof PF_PARTS)[number];

export type PfAction = 'pass' | 'block' | 'scrub' | 'nat' | 'binat' | 'rdr' | 'anchor';

/** A rule after expansion: it names one interface, one protocol, one source, one destination. */
export interface PfRule {
  /** Line of pf.conf on which it begins, from 1. */
  readonly line: number;
  /** `$nr`, as listings of the file number it: from 0 in its anchor, in 3.7 in the whole file; binat rules have none. */
  readonly number?: number;
  /** `anchor` in the part that its keyword names: nat-anchor is an anchor in `nat`. */
  readonly action: PfAction;
  /** `no scrub`, `no nat` ...: what matches is left alone. */
  readonly no?: true;
  /** Of an anchor: its path, perhaps with a wildcard at the end: `spam`, `ftp/*`, `/top`. */
  readonly anchor?: string;
  /** The rules of the anchor stand in braces behind it. */
  readonly inline?: true;
  readonly direction?: 'in' | 'out';
  readonly log?: 'log' | 'all';
  /** `log (user)`: the owner of the socket is looked up and logged, too. */
  readonly logUser?: true;
  /** N of `log (to pflogN)`; default 0. */
  readonly logInterface?: number;
  readonly quick?: true;
  readonly interface?: { readonly name: string; readonly not?: true };
  readonly af?: PfFamily;
  readonly protocol?: number;
  readonly source: PfHost;
  readonly destination: PfHost;
  readonly os?: string;

  /** Of a block. */
  readonly return?: PfReturn;
  readonly route?: { readonly kind: PfRouteKind; readonly pool?: PfPool };
  readonly user?: PfOperator;
  readonly group?: PfOperator;
  /** TCP flags as bits (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128): of those in `of`, those in `set` and no others are set. */
  readonly flags?: { readonly set: number; readonly of: number };
  /** ICMP or ICMPv6 by `af`. */
  readonly icmp?: { readonly type: number; readonly code?: number };
  readonly tos?: number;
  readonly state?: PfStateKind;
  readonly stateOptions?: PfStateOptions;
  readonly fragment?: true;
  readonly allowOpts?: true;
  readonly label?: string;
  readonly tag?: string;
  readonly tagged?: { readonly name: string; readonly not?: true };
  /** Queue, and that for low delay and bare acknowledgements. */
  readonly queue?: { readonly name: string; readonly priority?: string };
  /** Matches with this probability, above 0 and below 1. */
  readonly probability?: number;
  readonly rtable?: number;

  readonly scrub?: PfScrubOptions;
  /** Of nat, binat and rdr: what is translated to. */
  readonly pool?: PfPool;
  /** nat pass, rdr pass: filter rules are passed over; logged if so. */
  readonly translationPass?: true;
}

export interface PfTableAddress {
  readonly af: PfFamily;
  readonly address: string;
  readonly length: number;
  readonly not?: true;
}

export interface PfTable {
  readonly line: number;
  readonly name: string;
  readonly persist?: true;
  readonly const?: true;
  /** Absent: the table is only declared; what it holds stays. Those of its files are among them. */
  readonly addresses?: readonly PfTableAddress[];
  /** Files that it was filled from. */
  readonly files?: readonly string[];
  /** What it was filled with as it was written, for listings: addresses and files in their order. */
  readonly written?: readonly (
    { readonly file: string } | { readonly addresses: readonly PfTableAddress[] }
  )[];
}

export type PfScheduler = 'cbq' | 'priq' | 'hfsc';

/** Bit/s, or a share of the interface or of the parent queue (0..1). */
export type PfBandwidth = { readonly bits: number } | { readonly share: number };

/** A service curve of hfsc: m1 for d ms, then m2. */
export interface PfServiceCurve {
  readonly m1?: PfBandwidth;
  readonly d?: number;
  readonly m2: PfBandwidth;
}

/** A service curve in bit/s and ms. */
export interface PfCurve {
  readonly m1: number;
  readonly d: number;
  readonly m2: number;
}

/** `altq on`. */
export interface PfAltq {
  readonly line: number;
  readonly interface: string;
  readonly scheduler: PfScheduler;
  /** Of the scheduler itself: those of its root queue. */
  readonly flags?: readonly PfQueueFlag[];
  /** Absent: that of the interface. */
  readonly bandwidth?: PfBandwidth;
  /** Packets. */
  readonly qlimit?: number;
  /** Bytes of the token bucket; absent: by the bandwidth. */
  readonly tbrsize: number;
  readonly queues: readonly string[];
}

export type PfQueueFlag = 'default' | 'borrow' | 'red' | 'rio' | 'ecn';

/** `queue`, once for each interface that it is on. */
export interface PfQueue {
  readonly line: number;
  readonly name: string;
  readonly interface: string;
  /** Absent: directly below the interface. */
  readonly parent?: string;
  readonly scheduler: PfScheduler;
  readonly bandwidth?: PfBandwidth;
  readonly priority?: number;
  readonly qlimit?: number;
  readonly flags: readonly PfQueueFlag[];
  readonly realtime?: PfServiceCurve;
  readonly linkshare?: PfServiceCurve;
  readonly upperlimit?: PfServiceCurve;
  /** Bandwidth and curves with all shares resolved against the interface and the parent: bit/s. */
  readonly resolved?: {
    readonly bits: number;
    readonly realtime: PfCurve;
    /** Without one of its own, as much as the bandwidth. */
    readonly linkshare: PfCurve;
    readonly upperlimit: PfCurve;
  };
  readonly children: readonly string[];
}

export interface PfOptions {
  readonly timeouts?: Readonly<Partial<Record<PfTimeout, number>>>;
  readonly limits?: Readonly<Partial<Record<PfLimit, number>>>;
  readonly optimization?: string;
  readonly rulesetOptimization?: 'none' | 'basic' | 'profile';
  readonly blockPolicy?: 'drop' | 'return';
  readonly statePolicy?: 'if-bound' | 'group-bound' | 'floating';
  /** Interface whose packets are counted; 'none' for no one. */
  readonly loginterface?: string;
  readonly requireOrder?: boolean;
  readonly fingerprints?: string;
  readonly debug?: 'none' | 'urgent' | 'misc' | 'loud';
  readonly hostid?: number;
  /** Interfaces that are not filtered. */
  readonly skip?: readonly string[];
}
export const PF_LIMITS = ['states', 'src-nodes', 'frags', 'tables', 'table-entries'] as const;
export type PfLimit = (typeof PF_LIMITS)[number];

/** The rules of one anchor; the main rule set is the anchor ''. */
export interface PfAnchorRules {
  readonly tables: readonly PfTable[];
  readonly scrub: readonly PfRule[];
  readonly nat: readonly PfRule[];
  readonly binat: readonly PfRule[];
  readonly rdr: readonly PfRule[];
  readonly filter: readonly PfRule[];
}

/** All that one pf.conf says. */
export interface PfRuleSet {
  readonly generation: PfGeneration;
  readonly options: PfOptions;
  readonly altqs: readonly PfAltq[];
  readonly queues: readonly PfQueue[];
  /** By path: '' the main rule set; others are those that are written in braces behind an anchor. */
  readonly anchors: Readonly<Record<string, PfAnchorRules>>;
  /** `load anchor PATH from FILE`, to be read when the rest is loaded. */
  readonly loads: readonly { readonly line: number; readonly anchor: string; readonly file: string }[];
}
