/**
 * What a host tells a renderer about packet filters: the PF of a node with its rules, tables, queues and states; what is wrong with a pf.conf or a filter expression; and which
 * packets a rule decided. Declared once as valibot schemas, like the rest of the model.
 */
import * as v from 'valibot';
import { count, list, nanoseconds } from './model.ts';

/** The longest pf.conf that a window edits, in characters. */
export const maxRuleSetLength = 1024 * 1024;
/** Rules of a node that one answer holds; further ones are counted only. */
export const maxRulesShown = 1_000;
/** States that one answer holds. */
export const maxStatesPerRequest = 500;
/** Packets of a rule that are listed; the latest ones. */
export const maxHits = 1_000;

const place = { line: count, column: count };

/** Something wrong, or doubtful, at a place of a pf.conf; both from 1. */
export const filterProblemSchema = v.object({
  severity: v.picklist(['error', 'warning']),
  message: v.string(),
  ...place,
  /** What could stand there. */
  expected: v.optional(v.string()),
  /** The file, where it is not the text itself. */
  file: v.optional(v.string()),
});
export type FilterProblem = v.InferOutput<typeof filterProblemSchema>;

export const filterCheckSchema = v.object({
  problems: list(filterProblemSchema),
  /** Rules that the text multiplies out to; 0 with errors. */
  rules: count,
});
export type FilterCheck = v.InferOutput<typeof filterCheckSchema>;

export const filterPartSchema = v.picklist(['scrub', 'nat', 'binat', 'rdr', 'filter']);
export type FilterPart = v.InferOutput<typeof filterPartSchema>;

/** A rule that is loaded, with its counters. */
export const filterRuleSchema = v.object({
  part: filterPartSchema,
  /** Path of the anchor it is in, '' for the main rule set. */
  anchor: v.string(),
  number: count,
  /** Line of the text it was loaded from. */
  line: count,
  /** As pfctl lists it. */
  text: v.string(),
  /** `pass`, `block`, `nat` ... */
  action: v.string(),
  evaluations: count,
  packets: count,
  bytes: count,
  /** States that it has, and that it has made. */
  states: count,
  statesMade: count,
});
export type FilterRule = v.InferOutput<typeof filterRuleSchema>;

export const filterTableSchema = v.object({
  anchor: v.string(),
  name: v.string(),
  addresses: count,
  /** Rules that name it. */
  rules: count,
  match: count,
  noMatch: count,
  persist: v.boolean(),
  const: v.boolean(),
});
export type FilterTable = v.InferOutput<typeof filterTableSchema>;

/** A queue of altq with its counters. */
export const filterQueueSchema = v.object({
  name: v.string(),
  interface: v.string(),
  /** Queues that it is below; they come before it. */
  depth: count,
  scheduler: v.picklist(['priq', 'cbq', 'hfsc']),
  /** bit/s; absent: it has none (priq). */
  bandwidth: v.optional(count),
  priority: v.optional(count),
  /** Where packets go that no rule gives a queue. */
  default: v.boolean(),
  packets: count,
  bytes: count,
  droppedPackets: count,
  droppedBytes: count,
  /** Packets that wait, and how many may. */
  length: count,
  limit: count,
});
export type FilterQueue = v.InferOutput<typeof filterQueueSchema>;

/** The PF of a node at this moment. */
export const filterStatusSchema = v.object({
  node: v.string(),
  /** `off`: the lab or the node's stack does not run; `absent`: PF is not loaded into the stack. */
  state: v.picklist(['off', 'absent', 'disabled', 'enabled']),
  /** The lab's time stands still: what is here is what was last known. */
  paused: v.boolean(),
  generation: v.picklist(['3.7', '4.2']),
  /** s since it was enabled or disabled. */
  seconds: count,
  states: count,
  stateLimit: count,
  search: count,
  insert: count,
  removals: count,
  /** Why packets were dropped, in PF's order. */
  reasons: list(v.object({ name: v.string(), packets: count })),
  rules: list(filterRuleSchema),
  rulesTotal: count,
  anchors: list(v.string()),
  tables: list(filterTableSchema),
  queues: list(filterQueueSchema),
  /** True while the rules are those that a window has loaded: their lines are those of `filters.loaded`. */
  fromWindow: v.boolean(),
  /** What `filters.undo` would bring back, in words; absent: nothing is kept. */
  undo: v.optional(v.string()),
});
export type FilterStatus = v.InferOutput<typeof filterStatusSchema>;

export const filterLoadSchema = v.object({
  ...filterCheckSchema.entries,
  /** False: something is wrong, and all is as before. */
  loaded: v.boolean(),
});
export type FilterLoad = v.InferOutput<typeof filterLoadSchema>;

/** The pf.conf of a node. */
export const filterFileSchema = v.object({
  path: v.string(),
  /** Null: there is no such file. */
  text: v.nullable(v.string()),
});
export type FilterFile = v.InferOutput<typeof filterFileSchema>;

export const stateColumnSchema = v.picklist([
  'interface',
  'protocol',
  'direction',
  'source',
  'destination',
  'state',
  'age',
  'expires',
  'packets',
  'bytes',
  'rule',
]);
export type StateColumn = v.InferOutput<typeof stateColumnSchema>;

export const filterStateSchema = v.object({
  id: v.string(),
  interface: v.string(),
  protocol: v.string(),
  direction: v.picklist(['in', 'out']),
  /** `10.0.0.2:4000`; where the connection comes from. */
  source: v.string(),
  destination: v.string(),
  /** Ends behind PF, where they were translated. */
  translated: v.optional(v.string()),
  state: v.string(),
  /** s */
  age: count,
  expires: count,
  packets: count,
  bytes: count,
  rule: v.optional(count),
});
export type FilterState = v.InferOutput<typeof filterStateSchema>;

export const stateQuerySchema = v.object({
  /** Words that all occur somewhere in a state. */
  text: v.pipe(v.string(), v.maxLength(200)),
  sort: stateColumnSchema,
  descending: v.boolean(),
  from: count,
  count: v.pipe(count, v.maxValue(maxStatesPerRequest)),
});
export type StateQuery = v.InferOutput<typeof stateQuerySchema>;

export const statePageSchema = v.object({
  /** In the table. */
  total: count,
  /** Looked at: less than `total` when the table is larger than a window reads. */
  read: count,
  matched: count,
  states: list(filterStateSchema),
});
export type StatePage = v.InferOutput<typeof statePageSchema>;

/** What PF decided about a packet at one interface. */
export const decisionSchema = v.object({
  time: nanoseconds,
  node: v.string(),
  interface: v.string(),
  pass: v.boolean(),
  /** A state had decided before: the rule is the one that made it. */
  byState: v.boolean(),
  /** Number of the rule in the main rule set; absent: none decided. */
  rule: v.optional(count),
  /** The rule is an anchor, in which a rule has decided. */
  inAnchor: v.boolean(),
});
export type Decision = v.InferOutput<typeof decisionSchema>;

/** Packets that a rule decided, as far as they were followed and are kept. */
export const hitsSchema = v.object({
  /** Numbers of packets of the live list, oldest first. */
  packets: list(count),
  /** Packets of the list, and those of them that were followed: what is known of a rule's packets is known of these only. */
  kept: count,
  followed: count,
});
export type Hits = v.InferOutput<typeof hitsSchema>;

/** Names that can be written in rules. */
export const filterWordsSchema = v.object({
  services: list(v.string()),
  protocols: list(v.string()),
});
export type FilterWords = v.InferOutput<typeof filterWordsSchema>;

/** What is wrong with a filter expression; `column` counts from 1. */
export const expressionErrorSchema = v.object({
  message: v.string(),
  column: count,
  expected: v.optional(v.string()),
});
export type ExpressionError = v.InferOutput<typeof expressionErrorSchema>;

export const compiledExpressionSchema = v.variant('ok', [
  v.object({
    ok: v.literal(true),
    linkType: v.string(),
    /** Lines as of `tcpdump -d`. */
    listing: list(v.string()),
  }),
  v.object({ ok: v.literal(false), error: expressionErrorSchema }),
]);
export type CompiledExpression = v.InferOutput<typeof compiledExpressionSchema>;

/** An instruction as it ran, with the registers as it left them. */
export const programStepSchema = v.object({
  pc: count,
  a: count,
  x: count,
  /** Words of the scratch memory that are not zero. */
  memory: list(v.object({ word: count, value: count })),
  /** What was read of the packet; `value` is null if that was not captured. */
  loaded: v.optional(v.object({ offset: count, size: count, value: v.nullable(count) })),
  /** Of a comparison: whether it held, and the instruction that follows. */
  branch: v.optional(v.boolean()),
  next: v.optional(count),
});
export type ProgramStep = v.InferOutput<typeof programStepSchema>;

export const explainedPacketSchema = v.object({
  linkType: v.string(),
  listing: list(v.string()),
  steps: list(programStepSchema),
  /** Steps beyond those given. */
  more: count,
  /** Bytes to keep; 0: rejected. */
  result: count,
});
export type ExplainedPacket = v.InferOutput<typeof explainedPacketSchema>;

/** Packets of a what-if report that one answer lists. */
export const maxWhatIfPackets = 2_000;

export const whatIfPacketSchema = v.object({
  number: count,
  summary: v.string(),
  direction: v.picklist(['in', 'out']),
  verdict: v.picklist(['pass', 'block', 'ignored']),
  reason: v.optional(v.string()),
  /** `@3, line 12`. */
  rule: v.optional(v.string()),
  line: v.optional(count),
  translation: v.optional(v.string()),
  state: v.optional(v.string()),
  translated: v.optional(v.string()),
  /** Its verdict under the rules that are loaded. */
  before: v.optional(v.picklist(['pass', 'block', 'ignored'])),
});
export type WhatIfPacket = v.InferOutput<typeof whatIfPacketSchema>;

/** What a rule set would do to the packets of a capture. With problems nothing was tried. */
export const filterWhatIfSchema = v.object({
  problems: list(filterProblemSchema),
  /** Packets that were tried, and how they fared. */
  total: count,
  passed: count,
  blocked: count,
  ignored: count,
  /** Packets to be listed: all, or those that fare otherwise; the first of them are here. */
  listed: count,
  packets: list(whatIfPacketSchema),
  rules: list(
    v.object({
      text: v.string(),
      line: count,
      evaluations: count,
      packets: count,
      bytes: count,
      states: count,
    }),
  ),
  untouched: list(v.string()),
  shadowed: list(v.string()),
});
export type FilterWhatIf = v.InferOutput<typeof filterWhatIfSchema>;

export const whatIfQuerySchema = v.object({
  node: v.pipe(v.string(), v.maxLength(1_000)),
  text: v.pipe(v.string(), v.maxLength(maxRuleSetLength)),
  interface: v.pipe(v.string(), v.regex(/^[a-z][a-z0-9]*[0-9]$/), v.maxLength(15)),
  direction: v.picklist(['in', 'out', 'both']),
  /** An opened capture; absent: the live one. */
  capture: v.optional(v.pipe(v.string(), v.maxLength(1_000))),
  /** Lists only what fares otherwise than under the rules that are loaded. */
  againstLoaded: v.boolean(),
});
export type WhatIfQuery = v.InferOutput<typeof whatIfQuerySchema>;
