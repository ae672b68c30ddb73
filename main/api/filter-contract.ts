/** Commands about packet filters: the PF of nodes, rule sets being written, filter expressions. Part of the contract. */
import * as v from 'valibot';
import {
  compiledExpressionSchema,
  decisionSchema,
  explainedPacketSchema,
  filterCheckSchema,
  filterFileSchema,
  filterLoadSchema,
  filterStatusSchema,
  filterWhatIfSchema,
  filterWordsSchema,
  hitsSchema,
  maxRuleSetLength,
  statePageSchema,
  stateQuerySchema,
  whatIfQuerySchema,
} from './filter-model.ts';
import { count, list, maxFilterLength } from './model.ts';

const done = v.null();
const node = v.pipe(v.string(), v.maxLength(1_000));
const text = v.pipe(v.string(), v.maxLength(maxRuleSetLength, 'a pf.conf has 1 MiB at most'));
const expression = v.pipe(v.string(), v.maxLength(maxFilterLength));
const capture = v.optional(v.pipe(v.string(), v.maxLength(1_000)));
/** False: the program as it was generated. */
const optimize = v.optional(v.boolean(), true);

export const filterCommands = {
  'filters.status': { params: v.object({ node }), result: filterStatusSchema },
  /** Loads the PF module into the node's stack. */
  'filters.mount': { params: v.object({ node }), result: done },
  'filters.enable': { params: v.object({ node, enabled: v.boolean() }), result: done },
  'filters.file': { params: v.object({ node }), result: filterFileSchema },
  'filters.save': { params: v.object({ node, text }), result: done },
  'filters.check': { params: v.object({ node, text }), result: filterCheckSchema },
  /** All or nothing; what was loaded before is kept for `filters.undo`. */
  'filters.load': { params: v.object({ node, text }), result: filterLoadSchema },
  'filters.unload': { params: v.object({ node }), result: done },
  /** Puts back what the last load or unload of a window has replaced. */
  'filters.undo': { params: v.object({ node }), result: done },
  /** The text that a window has loaded; null when the rules are from elsewhere. */
  'filters.loaded': { params: v.object({ node }), result: v.nullable(v.string()) },
  /** Tries a rule set on a capture; loads nothing. */
  'filters.whatIf': { params: whatIfQuerySchema, result: filterWhatIfSchema },
  'filters.words': { params: v.object({}), result: filterWordsSchema },
  'states.list': { params: v.object({ node, query: stateQuerySchema }), result: statePageSchema },
  /** Removes one state by its id, or all. */
  'states.kill': {
    params: v.object({ node, id: v.optional(v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/))) }),
    result: v.object({ killed: count }),
  },
  /** Packets of the live list that a rule of the main rule set decided. */
  'filters.hits': { params: v.object({ node, rule: count }), result: hitsSchema },
  /** What the PFs of all nodes decided about a packet; null if it was not followed. */
  'filters.decisions': {
    params: v.object({ number: count, capture }),
    result: v.nullable(list(decisionSchema)),
  },
  /** Compiles an expression for an opened capture, for a capture point of the lab, or for Ethernet. */
  'expression.compile': {
    params: v.object({ expression, point: v.optional(node), capture, optimize }),
    result: compiledExpressionSchema,
  },
  /** What the program of an expression does with a packet of the live list or of an opened capture; null if that is no longer kept. */
  'expression.explain': {
    params: v.object({ expression, number: count, capture, optimize }),
    result: v.nullable(explainedPacketSchema),
  },
  /** The packets of an opened capture that an expression accepts, among those that a window shows. */
  'expression.select': {
    params: v.object({ expression, capture: v.pipe(v.string(), v.maxLength(1_000)) }),
    result: list(count),
  },
} as const;
