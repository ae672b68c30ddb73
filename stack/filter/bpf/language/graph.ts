/**
 * A filter as a graph of decisions without cycles: each node compares two values and goes on to one of two nodes, or sets a scratch register; two leaves end it.
 */
import { bpfCompare } from '../interpreter.ts';
import { BPF_AND, BPF_JEQ, BPF_JSET } from '../instruction.ts';
import { FilterFault } from './error.ts';
import type { BlockInstruction, Comparison, Predicate } from './predicate.ts';
import type { Value } from './value.ts';

/** What a node does before it goes on. */
export type Action =
  /** A comparison whose outcome is known. */
  | { readonly kind: 'constant'; readonly holds: boolean }
  | { readonly kind: 'test'; readonly comparison: Comparison; readonly left: Value; readonly right: Value }
  | { readonly kind: 'assign'; readonly register: number; readonly value: Value }
  | { readonly kind: 'probe'; readonly value: Value }
  | { readonly kind: 'block'; readonly code: readonly BlockInstruction[]; readonly equals: number };

/** A comparison that decides. */
export type Test = Extract<Action, { kind: 'test' }>;

export type Node = Leaf | Decision;

export interface Leaf {
  readonly kind: 'leaf';
  readonly id: number;
  readonly accepts: boolean;
}

/** A node with an action; nodes that do not decide have the same node at both ends. */
export interface Decision {
  readonly kind: 'decision';
  readonly id: number;
  readonly action: Action;
  readonly yes: Node;
  readonly no: Node;
}

/** Nodes that a graph may have: no expression that makes sense comes near. */
const NODE_LIMIT = 1 << 16;

/** Makes nodes. */
export class Graph {
  readonly accept: Leaf = { kind: 'leaf', id: 0, accepts: true };
  readonly reject: Leaf = { kind: 'leaf', id: 1, accepts: false };
  #nextId = 2;
  #built = 0;

  /**
   * The node of a predicate with what follows it.
   *
   * @throws FilterFault if the graph becomes too large.
   */
  build(predicate: Predicate, yes: Node, no: Node): Node {
    switch (predicate.kind) {
      case 'not':
        return this.build(predicate.operand, no, yes);
      case 'and':
        return predicate.operands.reduceRight<Node>((rest, operand) => this.build(operand, rest, no), yes);
      case 'or':
        return predicate.operands.reduceRight<Node>((rest, operand) => this.build(operand, yes, rest), no);
      case 'assign':
      case 'probe':
        return this.#buildNode(predicate, yes, yes);
      default:
        return this.#buildNode(predicate, yes, no);
    }
  }

  /** The node of an action. */
  node(action: Action, yes: Node, no: Node): Node {
    const bits = action.kind === 'test' ? bitTest(action) : undefined;
    if (bits !== undefined) return this.node(bits, no, yes);
    return { kind: 'decision', id: this.#nextId++, action, yes, no };
  }

  #buildNode(action: Action, yes: Node, no: Node): Node {
    if (++this.#built > NODE_LIMIT)
      throw new FilterFault('the expression needs a program that is too long', 1);
    return this.node(action, yes, no);
  }

  /** The graph of a root with equal nodes made one, and without decisions of constants. */
  unified(root: Node): Node {
    const known = new Map<string, Node>();
    const replacements = new Map<Node, Node>();
    const replacement = (node: Node): Node => replacements.get(node) ?? node;
    for (const node of inOrder(root).reverse()) {
      const [yes, no] = [replacement(node.yes), replacement(node.no)];
      const outcome = constantOutcome(node.action);
      if (outcome !== undefined) {
        replacements.set(node, outcome ? yes : no);
        continue;
      }
      const key = `${actionKey(node.action)}?${yes.id}:${no.id}`;
      const same =
        known.get(key) ?? (yes === node.yes && no === node.no ? node : this.node(node.action, yes, no));
      known.set(key, same);
      replacements.set(node, same);
    }
    return replacement(root);
  }
}

function actionKey(action: Action): string {
  switch (action.kind) {
    case 'test':
      return `t${action.comparison},${action.left.id},${action.right.id}`;
    case 'assign':
      return `s${action.register},${action.value.id}`;
    case 'probe':
      return `p${action.value.id}`;
    case 'block':
      return `b${action.equals},${action.code.map(({ code, k }) => `${code} ${k}`).join(',')}`;
    case 'constant':
      return `c${action.holds}`;
  }
}

/** How an action comes out that has nothing to do with the packet. */
export function constantOutcome(action: Action): boolean | undefined {
  if (action.kind === 'constant') return action.holds;
  if (action.kind !== 'test') return undefined;
  const { comparison, left, right } = action;
  if (left.kind === 'constant' && right.kind === 'constant') return bpfCompare(comparison, left.k, right.k);
  return comparison === BPF_JEQ && left === right ? true : undefined;
}

/** "No bit of a mask" is the opposite of what the machine has an instruction for. */
function bitTest({ comparison, left, right }: Test): Test | undefined {
  if (comparison !== BPF_JEQ || right.kind !== 'constant' || right.k !== 0) return undefined;
  if (left.kind !== 'alu' || left.operation !== BPF_AND || left.right.kind !== 'constant') return undefined;
  return { kind: 'test', comparison: BPF_JSET, left: left.left, right: left.right };
}

/** The decisions of a graph from its root on, each before those it leads to. */
export function inOrder(root: Node): Decision[] {
  const finished: Decision[] = [];
  const seen = new Set<Node>();
  // Depth first without recursion: a chain of decisions may be long. The rejecting side is finished first, so that acceptance follows its test.
  const stack: { node: Node; stage: 0 | 1 | 2 }[] = [{ node: root, stage: 0 }];
  for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
    const { node } = top;
    if (top.stage === 0 && (node.kind === 'leaf' || seen.has(node))) {
      stack.pop();
    } else if (node.kind === 'decision' && top.stage < 2) {
      seen.add(node);
      stack.push({ node: top.stage === 0 ? node.no : node.yes, stage: 0 });
      top.stage = top.stage === 0 ? 1 : 2;
    } else {
      if (node.kind === 'decision') finished.push(node);
      stack.pop();
    }
  }
  return finished.reverse();
}
