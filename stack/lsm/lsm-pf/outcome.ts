/**
 * What becomes of the packet at hand beside passing: why it is dropped, whether that is logged, by which rule.
 */
import { PFIL_IN } from '../../net/pfil.ts';
import { pd } from './packet.ts';
import type { Rule } from './rules.ts';

/** The decision about the packet at hand: one place per thread. */
export interface Outcome {
  pass: boolean;
  /** REASON. */
  reason: number;
  /** Of the rule that decided; undefined: none, the packet passes by default. */
  rule: Rule | undefined;
  anchor: Rule | undefined;
  /** Of the translation that made its state. */
  nat: Rule | undefined;
  /** The state it belongs to, 0 for none. */
  state: number;
  log: boolean;
  /** Numbers of the tag and of the queues that it gets. */
  tag: number;
  queue: number;
  priorityQueue: number;
  /** The state machine has used it up, or answered it: nothing more is sent about it. */
  silent: boolean;
}

export const outcome: Outcome = {
  pass: true,
  reason: 0,
  rule: undefined,
  anchor: undefined,
  nat: undefined,
  state: 0,
  log: false,
  tag: 0,
  queue: 0,
  priorityQueue: 0,
  silent: false,
};

/** Begins with a packet: it passes. */
export function beginOutcome(): void {
  outcome.pass = true;
  outcome.reason = 0;
  outcome.rule = undefined;
  outcome.anchor = undefined;
  outcome.nat = undefined;
  outcome.state = 0;
  outcome.log = false;
  outcome.tag = 0;
  outcome.queue = 0;
  outcome.priorityQueue = 0;
  outcome.silent = false;
}

/** The packet is dropped. Always false, for `return refuse(...)`. */
export function refuse(reason: number, silent = false): false {
  outcome.pass = false;
  outcome.reason = reason;
  outcome.silent = silent;
  return false;
}

/** Counts the packet at hand for a rule. */
export function countRule(rule: Rule | undefined): void {
  if (rule === undefined) return;
  const { record } = rule;
  if (pd.direction === PFIL_IN) {
    record.packetsIn++;
    record.bytesIn += pd.length;
  } else {
    record.packetsOut++;
    record.bytesOut += pd.length;
  }
}
