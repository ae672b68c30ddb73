/**
 * The statements of a pf.conf as they are written: names are not looked up, lists are not multiplied out. The parser makes them one at a time, because what
 * one says (a macro, `set block-policy`) counts for those behind it.
 */
import type { Place } from './lexer.ts';
import type {
  PfFamily,
  PfFragmentHandling,
  PfInterfaceModifier,
  PfOperatorName,
  PfPoolType,
  PfQueueFlag,
  PfRouteKind,
  PfScheduler,
  PfStateKind,
} from './ruleset.ts';

/** A word with its place. */
export interface Word extends Place {
  readonly text: string;
}

export interface NumberWord extends Place {
  readonly value: number;
}

export interface InterfaceSyntax {
  readonly name: Word;
  readonly not?: true;
  /** In parentheses, where antispoof allows it. */
  readonly dynamic?: true;
}

export type HostSyntax = Place & { readonly not?: true } & (
    | { readonly kind: 'name'; readonly name: string; readonly length?: number }
    | {
        readonly kind: 'dynamic';
        readonly interface: string;
        readonly modifiers: readonly PfInterfaceModifier[];
        readonly length?: number;
      }
    | { readonly kind: 'table'; readonly name: string }
    | { readonly kind: 'no-route' | 'urpf-failed' }
    | { readonly kind: 'route-label'; readonly label: string }
  );

/** A condition on numbers that may have names. */
export interface OperatorSyntax {
  readonly op: PfOperatorName;
  readonly a: Word;
  readonly b?: Word;
}

/** `any` is an empty list of hosts. */
export interface EndSyntax {
  readonly hosts: readonly HostSyntax[];
  readonly ports: readonly OperatorSyntax[];
}

export interface FromToSyntax {
  readonly source: EndSyntax;
  readonly os: readonly Word[];
  readonly destination: EndSyntax;
}

export interface LogSyntax {
  readonly all?: true;
  readonly user?: true;
  /** N of pflogN. */
  readonly interface?: number;
}

export interface PoolOptionsSyntax {
  readonly type?: PfPoolType;
  /** As written, absent if it is to be made up. */
  readonly key?: Word;
  readonly sticky?: true;
  readonly staticPort?: Place;
}

/** `port a`, `port a:b`, `port a:*`. */
export interface PoolPortSyntax {
  readonly a: Word;
  readonly b?: Word;
  readonly open?: true;
}

export interface RouteSyntax extends Place {
  readonly kind: PfRouteKind;
  readonly hosts: readonly { readonly interface: Word; readonly host?: HostSyntax }[];
  readonly options: PoolOptionsSyntax;
}

export type ReturnSyntax =
  | { readonly kind: 'policy' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'return' }
  | { readonly kind: 'return-rst'; readonly ttl?: number }
  | { readonly kind: 'return-icmp'; readonly icmp?: Word; readonly icmp6?: Word };

export interface IcmpSyntax {
  readonly type: Word;
  readonly code?: Word;
}

export type StateOptionSyntax = Place &
  (
    | {
        readonly kind: 'max' | 'max-src-states' | 'max-src-conn' | 'max-src-nodes';
        readonly value: number;
      }
    | { readonly kind: 'max-src-conn-rate'; readonly limit: number; readonly seconds: number }
    | { readonly kind: 'no-sync' }
    | { readonly kind: 'source-track'; readonly scope?: 'rule' | 'global' }
    | { readonly kind: 'overload'; readonly table: Word; readonly flush?: 'rule' | 'global' }
    | { readonly kind: 'binding'; readonly binding: 'if-bound' | 'group-bound' | 'floating' }
    | { readonly kind: 'timeout'; readonly name: string; readonly value: number }
  );

export interface StateSyntax {
  readonly kind: PfStateKind;
  readonly options: readonly StateOptionSyntax[];
}

/** What may follow the hosts of a filter rule. */
export interface FilterOptionsSyntax {
  users: OperatorSyntax[];
  groups: OperatorSyntax[];
  flags?: Place & { readonly set: number; readonly of: number };
  icmp?: { readonly af: PfFamily; readonly list: readonly IcmpSyntax[] };
  tos?: number;
  state?: StateSyntax;
  fragment?: true;
  allowOpts?: true;
  label?: Word;
  queue?: { readonly name: Word; readonly priority?: Word };
  tag?: Word;
  tagged?: { readonly name: Word; readonly not?: true };
  /** 0 to 1, both excluded. */
  probability?: number;
  rtable?: number;
}

export interface ScrubOptionsSyntax {
  noDf?: true;
  randomId?: true;
  minTtl?: number;
  maxMss?: number;
  reassembleTcp?: Place;
  fragment?: PfFragmentHandling;
  rtable?: number;
}

interface MatchSyntax extends Place {
  readonly interfaces: readonly InterfaceSyntax[];
  readonly af?: PfFamily;
  readonly protocols: readonly Word[];
}

export interface FilterRuleSyntax extends MatchSyntax {
  readonly kind: 'filter';
  readonly action: 'pass' | 'block';
  readonly return?: ReturnSyntax;
  readonly direction?: 'in' | 'out';
  readonly log?: LogSyntax;
  readonly quick?: true;
  readonly route?: RouteSyntax;
  readonly fromTo: FromToSyntax;
  readonly options: FilterOptionsSyntax;
}

export interface ScrubRuleSyntax extends MatchSyntax {
  readonly kind: 'scrub';
  readonly no?: true;
  readonly direction?: 'in' | 'out';
  readonly log?: LogSyntax;
  readonly quick?: true;
  readonly fromTo: FromToSyntax;
  readonly options: ScrubOptionsSyntax;
}

export interface RedirectSyntax extends Place {
  readonly hosts: readonly HostSyntax[];
  readonly port?: PoolPortSyntax;
}

export interface TranslationRuleSyntax extends MatchSyntax {
  readonly kind: 'nat' | 'rdr' | 'binat';
  readonly no?: true;
  readonly pass?: true;
  readonly log?: LogSyntax;
  readonly fromTo: FromToSyntax;
  readonly tag?: Word;
  readonly tagged?: { readonly name: Word; readonly not?: true };
  readonly rtable?: number;
  readonly redirect?: RedirectSyntax;
  readonly options: PoolOptionsSyntax;
  readonly binding?: 'if-bound' | 'group-bound' | 'floating';
}

export interface AnchorRuleSyntax extends MatchSyntax {
  readonly kind: 'anchor';
  readonly part: 'filter' | 'nat' | 'rdr' | 'binat';
  /** Absent: rules in braces without a name. */
  readonly name?: Word;
  readonly direction?: 'in' | 'out';
  readonly quick?: true;
  readonly fromTo: FromToSyntax;
  readonly options: FilterOptionsSyntax;
  /** Rules in braces. */
  readonly body?: readonly (FilterRuleSyntax | AnchorRuleSyntax)[];
}

export interface AntispoofSyntax extends Place {
  readonly kind: 'antispoof';
  readonly log?: LogSyntax;
  readonly quick?: true;
  readonly interfaces: readonly InterfaceSyntax[];
  readonly af?: PfFamily;
  readonly label?: Word;
  readonly rtable?: number;
}

export interface TableSyntax extends Place {
  readonly kind: 'table';
  readonly name: Word;
  readonly persist?: true;
  readonly const?: true;
  readonly contents: readonly ({ readonly hosts: readonly HostSyntax[] } | { readonly file: Word })[];
}

/** Bit/s or a whole percentage. */
export type BandwidthSyntax = { readonly bits: number } | { readonly percent: number };

export interface CurveSyntax {
  readonly m1?: BandwidthSyntax;
  readonly d?: number;
  readonly m2: BandwidthSyntax;
}

export interface SchedulerSyntax {
  readonly kind: PfScheduler;
  readonly flags: readonly PfQueueFlag[];
  readonly realtime?: CurveSyntax;
  readonly linkshare?: CurveSyntax;
  readonly upperlimit?: CurveSyntax;
}

export interface QueueOptionsSyntax {
  bandwidth?: BandwidthSyntax;
  priority?: number;
  qlimit?: number;
  tbrsize?: number;
  scheduler?: SchedulerSyntax;
}

export interface AltqSyntax extends Place {
  readonly kind: 'altq';
  readonly interfaces: readonly InterfaceSyntax[];
  readonly options: QueueOptionsSyntax;
  readonly queues: readonly Word[];
}

export interface QueueSyntax extends Place {
  readonly kind: 'queue';
  readonly name: Word;
  readonly interfaces: readonly InterfaceSyntax[];
  readonly options: QueueOptionsSyntax;
  readonly children: readonly Word[];
}

export interface MacroSyntax extends Place {
  readonly kind: 'macro';
  readonly name: string;
  readonly value: string;
}

export interface LoadSyntax extends Place {
  readonly kind: 'load';
  readonly anchor: Word;
  readonly file: Word;
}

export type SettingSyntax = Place & { readonly kind: 'set' } & (
    | {
        readonly option: 'optimization' | 'loginterface' | 'fingerprints' | 'debug' | 'ruleset-optimization';
        readonly value: Word;
      }
    | {
        readonly option: 'timeout' | 'limit';
        readonly values: readonly { readonly name: Word; readonly value: number }[];
      }
    | { readonly option: 'hostid'; readonly value: NumberWord }
    | { readonly option: 'block-policy'; readonly value: 'drop' | 'return' }
    | { readonly option: 'state-policy'; readonly value: 'if-bound' | 'group-bound' | 'floating' }
    | { readonly option: 'require-order'; readonly value: boolean }
    | { readonly option: 'skip'; readonly interfaces: readonly InterfaceSyntax[] }
  );

export type Statement =
  | MacroSyntax
  | SettingSyntax
  | TableSyntax
  | ScrubRuleSyntax
  | AltqSyntax
  | QueueSyntax
  | TranslationRuleSyntax
  | AnchorRuleSyntax
  | AntispoofSyntax
  | FilterRuleSyntax
  | LoadSyntax;
