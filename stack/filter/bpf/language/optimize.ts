/**
 * Makes a graph of decisions smaller without changing what it decides: a decision whose outcome is known from one on the way to it is bypassed on that way, one whose
 * outcome does not matter is left out, registers that nobody reads are not set, and equal nodes become one (S. McCanne, "libpcap: An Architecture and Optimization
 * Methodology for Packet Capture", 2011, describes the approach).
 */
import { BPF_JEQ } from '../instruction.ts';
import { inOrder } from './graph.ts';
import type { Action, Decision, Graph, Node, Test } from './graph.ts';

/** What is known at a place: the decisions on the way that all paths to it have in common, the latest first. */
type Knowledge = Fact | undefined;

interface Fact {
  readonly before: Knowledge;
  readonly depth: number;
  readonly action: Action;
  /** For a test, whether it held. */
  readonly held: boolean;
}

/** Rounds after which an optimization ends even if something is left to gain. */
const ROUND_LIMIT = 100;

/** The optimized graph of a root. */
export function optimize(graph: Graph, root: Node): Node {
  let current = root;
  for (let round = 0; round < ROUND_LIMIT; round++) {
    const next = improve(graph, current);
    if (next === current) break;
    current = next;
  }
  return current;
}

/** Bypasses what is known, and drops what does not matter, once over the whole graph. */
function improve(graph: Graph, root: Node): Node {
  const order = inOrder(root);
  const targets = bypass(order);
  const rebuilt = new Map<Node, Node>();
  const replacement = (node: Node): Node => rebuilt.get(node) ?? node;
  const live = new Liveness();
  for (const node of order.toReversed()) {
    const [yes, no] = targets.get(node) ?? [node.yes, node.no];
    const next = withoutUseless(graph, node.action, replacement(yes), replacement(no), live);
    live.note(next);
    rebuilt.set(node, next);
  }
  return replacement(root);
}

/** Where the two ways out of each decision lead when decisions with a known outcome are skipped. */
function bypass(order: readonly Decision[]): Map<Node, readonly [Node, Node]> {
  const knowledge = new Map<Node, Knowledge>();
  const targets = new Map<Node, readonly [Node, Node]>();
  const arrive = (node: Node, known: Knowledge): void => {
    knowledge.set(node, knowledge.has(node) ? common(knowledge.get(node), known) : known);
  };
  for (const node of order) {
    const before = knowledge.get(node);
    const ends = [true, false].map((held) => {
      const known = learn(before, node.action, held);
      const end = held ? node.yes : node.no;
      arrive(end, known);
      return destination(end, known);
    });
    targets.set(node, [ends[0] ?? node.yes, ends[1] ?? node.no]);
  }
  return targets;
}

function learn(before: Knowledge, action: Action, held: boolean): Knowledge {
  if (action.kind === 'probe' || action.kind === 'block') return before;
  return { before, depth: (before?.depth ?? 0) + 1, action, held };
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
function destination(from: Node, known: Knowledge): Node {
  let node = from;
  while (node.kind === 'decision' && node.action.kind === 'test') {
    if (node.yes === node.no) {
      node = node.yes;
      continue;
    }
    const outcome = outcomeOf(node.action, known);
    if (outcome === undefined) break;
    node = outcome ? node.yes : node.no;
  }
  return node;
}

/** How a test must come out, if that is known. */
function outcomeOf(test: Test, known: Knowledge): boolean | undefined {
  const registers = test.left.registers | test.right.registers;
  for (let fact = known; fact !== undefined; fact = fact.before) {
    const { action, held } = fact;
    if (action.kind === 'assign' && (registers & (1 << action.register)) !== 0) return undefined;
    if (action.kind !== 'test' || action.left !== test.left || action.comparison !== test.comparison)
      continue;
    if (action.right === test.right) return held;
    if (held && excludes(action, test)) return false;
  }
  return undefined;
}

/** Whether a value that equals one constant cannot equal the other. */
function excludes(known: Test, test: Test): boolean {
  return known.comparison === BPF_JEQ && known.right.kind === 'constant' && test.right.kind === 'constant';
}

function withoutUseless(graph: Graph, action: Action, yes: Node, no: Node, live: Liveness): Node {
  if (action.kind === 'test' && yes === no) return yes;
  if (action.kind === 'assign' && (live.at(yes) & (1 << action.register)) === 0) return yes;
  return graph.node(action, yes, no);
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
    case 'block':
      // It writes its scratch words before it reads them.
      return 0;
  }
}
