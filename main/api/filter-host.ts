/** What the engine offers about packet filters. Methods that cannot do what was asked reject with a message for the user. */
import type {
  CompiledExpression,
  Decision,
  ExplainedPacket,
  FilterCheck,
  FilterFile,
  FilterLoad,
  FilterStatus,
  FilterWhatIf,
  FilterWords,
  Hits,
  StatePage,
  StateQuery,
  WhatIfQuery,
} from './filter-model.ts';

/** The PF of nodes, and rule sets that are being written for them. */
export interface FilterHost {
  /** Always answers, also for a node that does not run. */
  status(node: string): Promise<FilterStatus>;
  mount(node: string): Promise<void>;
  setEnabled(node: string, enabled: boolean): Promise<void>;
  /** The node's /etc/pf.conf. */
  file(node: string): Promise<FilterFile>;
  save(node: string, text: string): Promise<void>;
  /** Reads a rule set against the node's interfaces; loads nothing. */
  check(node: string, text: string): Promise<FilterCheck>;
  /** Loads a rule set, or nothing of it. */
  load(node: string, text: string): Promise<FilterLoad>;
  unload(node: string): Promise<void>;
  /** Puts back the rule set that the last load or unload has replaced. */
  undo(node: string): Promise<void>;
  /** The text that was loaded here, if the rules are still those. */
  loadedText(node: string): Promise<string | undefined>;
  /** Tries a rule set on the live capture or an opened one. */
  whatIf(query: WhatIfQuery): Promise<FilterWhatIf>;
  words(): FilterWords;
  states(node: string, query: StateQuery): Promise<StatePage>;
  /** @returns how many there were. */
  killStates(node: string, id?: string): Promise<number>;
  hits(node: string, rule: number): Hits;
  decisions(number: number, capture?: string): readonly Decision[] | undefined;
}

/** What an expression is compiled for: packets of an opened capture, else of a capture point, else of an Ethernet. */
export interface ExpressionTarget {
  readonly point?: string | undefined;
  readonly capture?: string | undefined;
  /** Default true. */
  readonly optimize?: boolean;
}

/** Filter expressions of pcap-filter(7). */
export interface ExpressionHost {
  compile(expression: string, target?: ExpressionTarget): CompiledExpression;
  /** @throws Error that says what is wrong with the expression. */
  explain(
    expression: string,
    number: number,
    target?: Omit<ExpressionTarget, 'point'>,
  ): ExplainedPacket | undefined;
  /** Numbers of the packets of an opened capture that it accepts, among the first `maxCapturePackets`. @throws Error as `explain`. */
  select(expression: string, capture: string): readonly number[];
}
