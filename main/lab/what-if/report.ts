/**
 * What a rule set would do to the packets of a capture: one verdict for each packet, totals for each rule. Plain records that can be sent as JSON.
 */

/** A rule as reports name it. */
export interface RuleRef {
  /** `filter`, `nat` ... */
  readonly part: string;
  /** Path of the anchor it is in, '' for the main rule set. */
  readonly anchor: string;
  readonly number: number;
  /** Line of the file on which it begins. */
  readonly line: number;
}

/** What became of one packet. */
export interface PacketVerdict {
  /** Place in the capture, from 1. */
  readonly number: number;
  /** Time of capture, ns since 1970, as decimal text: it does not fit into a number. */
  readonly time: string;
  /** Addresses, ports and protocol in a few words. */
  readonly summary: string;
  readonly direction: 'in' | 'out';
  /** `ignored`: PF does not look at it (no IPv4). */
  readonly verdict: 'pass' | 'block' | 'ignored';
  /** Why it was blocked, or is ignored: `match`, `state-mismatch`, `no IPv4 packet` ... */
  readonly reason?: string;
  /** The rule that decided; absent if none did. With a state: the rule that made the state. */
  readonly rule?: RuleRef;
  /** The rule that translated it. */
  readonly translation?: RuleRef;
  /** It belongs to a state; `made`: this packet has made it. Identifiers are those of the run. */
  readonly state?: { readonly id: string; readonly made: boolean };
  /** It answers what was translated: with these ends it would have come, and was judged. */
  readonly adapted?: string;
  /** Ends of the packet behind PF, if they are others than before: `192.0.2.1:50001 -> 203.0.113.5:53`. */
  readonly translated?: string;
}

/** A rule with what it did. */
export interface RuleTotals extends RuleRef {
  /** As pfctl -sr shows it. */
  readonly text: string;
  readonly evaluations: number;
  readonly packets: number;
  readonly bytes: number;
  /** States that it made. */
  readonly states: number;
}

export interface WhatIfReport {
  readonly file: string;
  readonly packets: readonly PacketVerdict[];
  readonly passed: number;
  readonly blocked: number;
  readonly ignored: number;
  readonly rules: readonly RuleTotals[];
  /** Rules that no packet has matched. */
  readonly untouched: readonly RuleRef[];
  /** Rules that can never decide, because a later rule (or an earlier quick one) always does where they match. */
  readonly shadowed: readonly { readonly rule: RuleRef; readonly by: RuleRef }[];
}

/** A packet on which two rule sets do not agree. */
export interface VerdictChange {
  readonly number: number;
  readonly before: PacketVerdict;
  readonly after: PacketVerdict;
}
