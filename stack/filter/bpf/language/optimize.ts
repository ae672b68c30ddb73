/**
 * Makes a graph of decisions smaller without changing what it decides: a decision whose outcome is known from one on the way to it is bypassed on that way, one whose
 * outcome does not matter is left out, registers that nobody reads are not set, and equal nodes become one (S. McCanne, "libpcap: An Architecture and Optimization
 * Methodology for Packet Capture", 2011, describes the approach).
 */
import { BPF_JEQ } from '../instruction.ts';
import { constantOutcome, inOrder } from './graph.ts';
import { regroup } from './regroup.ts';
import { loadsOf } from './value.ts';
import type { Value } from './value.ts';
import type { Action, Decision, Graph, Node, Test } from './graph.ts';

/** What is known at a place: the decisions on the way that all paths to it have in common, the latest first. */
type Knowledge = Fact | undefined;

interface Fact {
  readonly before: Knowledge;
  readonly depth: number;
  readonly action: Action;
  /** For a test, whether it held. */
  readonly held: boolean;
  /** The latest fact about a value from here backwards, for values that were looked for. */
  readonly latest: Map<Value, Knowledge>;
}

/** Looks at decisions that an optimization may still take. Without any left it ends: the program is right, but longer than it could be. */
interface Effort {
  left: number;
}

const EFFORT = 4_000_000;

/** Rounds after which an optimization ends even if something is left to gain. */
const ROUND_LIMIT = 100;

/** The optimized graph of a root. */
export function optimize(graph: Graph, root: Node): Node {
  const effort: Effort = { left: EFFORT };
  const improved = improvedFully(graph, root, effort);
  const regrouped = improvedFully(graph, regroup(graph, improved), effort);
  return graph.unified(withoutUselessRoot(graph, regrouped));
}

function improvedFully(graph: Graph, root: Node, effort: Effort): Node {
  let current = root;
  for (let round = 0; round < ROUND_LIMIT; round++) {
    const next = improve(graph, current, effort);
    if (next === current) break;
    current = next;
  }
  return current;
}

/**
 * Leaves out a first decision that does not matter. What it loaded is still loaded, unless the whole program is a return: packets that are too short for it must come out as
 * with libpcap.
 */
function withoutUselessRoot(graph: Graph, root: Node): Node {
  if (root.kind === 'leaf' || root.action.kind !== 'test' || root.yes !== root.no) return root;
  const { left, right } = root.action;
  const next = destination(root, undefined, { left: EFFORT });
  if (next.kind === 'leaf') return next;
  const loads = [...loadsOf(left), ...loadsOf(right)];
  return loads.reduceRight<Node>((start, value) => graph.node({ kind: 'probe', value }, start, start), next);
}

/** Bypasses what is known, and drops what does not matter, once over the whole graph. */
function improve(graph: Graph, root: Node, effort: Effort): Node {
  const order = inOrder(root);
  const targets = bypass(order, effort);
  const rebuilt = new Map<Node, Node>();
  const replacement = (node: Node): Node => rebuilt.get(node) ?? node;
  const live = new Liveness();
  for (const node of order.toReversed()) {
    const [yes, no] = (targets.get(node) ?? [node.yes, node.no]).map(replacement);
    if (yes === undefined || no === undefined) throw new Error('a decision has two ways on');
    const next = withoutUseless(graph, node, yes, no, live, node === root);
    live.note(next);
    rebuilt.set(node, next);
  }
  return replacement(root);
}

/** Where the two ways out of each decision lead when decisions with a known outcome are skipped. */
function bypass(order: readonly Decision[], effort: Effort): Map<Node, readonly Node[]> {
  const knowledge = new Map<Node, Knowledge>();
  const targets = new Map<Node, readonly Node[]>();
  const arrive = (node: Node, known: Knowledge): void => {
    if (node.kind === 'leaf') return;
    knowledge.set(node, knowledge.has(node) ? common(knowledge.get(node), known) : known);
  };
  for (const node of order) {
    const before = knowledge.get(node);
    const ends = [true, false].map((held) => {
      const known = learn(before, node.action, held);
      const end = held ? node.yes : node.no;
      arrive(end, known);
      return destination(end, known, effort);
    });
    targets.set(node, ends);
  }
  return targets;
}

function learn(before: Knowledge, action: Action, held: boolean): Knowledge {
  if (action.kind !== 'test' && action.kind !== 'assign') return before;
  return { before, depth: (before?.depth ?? 0) + 1, action, held, latest: new Map() };
}

/** What two ways to a place have in common. */
function common(left: Knowledge, right: Knowledge): Knowledge {
  let [a, b] = [left, right];
  while (a !== b) {
    if ((a?.depth ?? 0) >= (b?.depth ?? 0)) a = a?.before;
    else b = b?.before;
  }
  return a;
}

/** Follows decisions from a node as long as their outcome is known or does not matter. */
function destination(from: Node, known: Knowledge, effort: Effort): Node {
  let node = from;
  while (node.kind === 'decision' && effort.left-- > 0) {
    const { action, yes, no } = node;
    if (action.kind !== 'test' && action.kind !== 'constant') break;
    if (yes === no) {
      node = yes;
      continue;
    }
    const outcome =
      constantOutcome(action) ?? (action.kind === 'test' ? outcomeOf(action, known, effort) : undefined);
    if (outcome === undefined) break;
    node = outcome ? yes : no;
  }
  return node;
}

/** How a test must come out, if that is known. */
function outcomeOf(test: Test, known: Knowledge, effort: Effort): boolean | undefined {
  for (
    let fact = latestAbout(test.left, known);
    fact !== undefined;
    fact = latestAbout(test.left, fact.before)
  ) {
    const { action, held } = fact;
    if (action.kind !== 'test' || effort.left-- <= 0) return undefined;
    if (action.comparison !== test.comparison) continue;
    if (action.right === test.right && !wasSet(test.right, known, fact)) return held;
    if (held && excludes(action, test)) return false;
  }
  return undefined;
}

/** The latest test of a value, or the latest change of a register that it reads. */
function latestAbout(value: Value, known: Knowledge): Knowledge {
  let fact = known;
  while (fact !== undefined && !concerns(fact.action, value)) {
    if (fact.latest.has(value)) {
      fact = fact.latest.get(value);
      break;
    }
    fact = fact.before;
  }
  known?.latest.set(value, fact);
  return fact;
}

function concerns(action: Action, value: Value): boolean {
  if (action.kind === 'assign') return (value.registers & (1 << action.register)) !== 0;
  return action.kind === 'test' && action.left === value;
}

/** Whether a register that a value reads was set after a fact. */
function wasSet(value: Value, known: Knowledge, since: Fact): boolean {
  if (value.registers === 0) return false;
  for (let fact = known; fact !== undefined && fact !== since; fact = fact.before)
    if (fact.action.kind === 'assign' && concerns(fact.action, value)) return true;
  return false;
}

/** Whether a value that equals one constant cannot equal the other. */
function excludes(known: Test, test: Test): boolean {
  return known.comparison === BPF_JEQ && known.right.kind === 'constant' && test.right.kind === 'constant';
}

/** A node with new ways on; nothing, if it does not matter. The first decision stays until the end. */
function withoutUseless(
  graph: Graph,
  node: Decision,
  yes: Node,
  no: Node,
  live: Liveness,
  isRoot: boolean,
): Node {
  const { action } = node;
  const outcome = constantOutcome(action);
  if (outcome !== undefined) return outcome ? yes : no;
  if (action.kind === 'test' && yes === no && !isRoot) return yes;
  if (action.kind === 'assign' && (live.at(yes) & (1 << action.register)) === 0) return yes;
  return yes === node.yes && no === node.no ? node : graph.node(action, yes, no);
}

/** Which scratch registers are read from a node on before they are set, one bit each. */
export class Liveness {
  readonly #live = new Map<Node, number>();

  at(node: Node): number {
    return this.#live.get(node) ?? 0;
  }

  /** Takes a node in, after those it leads to. */
  note(node: Node): void {
    if (node.kind === 'leaf') return;
    const { action } = node;
    const after = this.at(node.yes) | this.at(node.no);
    const kept = action.kind === 'assign' ? after & ~(1 << action.register) : after;
    this.#live.set(node, kept | registersRead(action));
  }
}

function registersRead(action: Action): number {
  switch (action.kind) {
    case 'test':
      return action.left.registers | action.right.registers;
    case 'assign':
    case 'probe':
      return action.value.registers;
    case 'constant':
      return 0;
    case 'block':
      // It writes its scratch words before it reads them.
      return 0;
  }
}
