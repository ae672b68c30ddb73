/**
 * Puts tests of the same value behind each other where their order does not matter, so that the value is loaded once: `src port 1 or dst port 1 or src port 2 or dst port 2` looks at
 * the source port for both. Such a chain is a run of tests that all lead to one place if they hold (or, for `and`, if they do not), and otherwise to the next of them.
 */
import { inOrder } from './graph.ts';
import type { Decision, Graph, Node, Test } from './graph.ts';
import type { Value } from './value.ts';

/** The two ways out of a test: the one that all tests of a chain share, and the one to the next. */
type Side = 'yes' | 'no';

interface TestNode extends Decision {
  readonly action: Test;
}

interface Chain {
  readonly members: readonly TestNode[];
  /** The way that the members share. */
  readonly shared: Side;
}

/** The graph of a root with its chains regrouped; the same root if there was nothing to gain. */
export function regroup(graph: Graph, root: Node): Node {
  const order = inOrder(root);
  const chains = chainsOf(order);
  if (chains.size === 0) return root;
  const replacements = new Map<Node, Node>();
  const replacement = (node: Node): Node => replacements.get(node) ?? node;
  for (const node of order.reverse()) {
    const chain = chains.get(node);
    const [yes, no] = [replacement(node.yes), replacement(node.no)];
    if (chain !== undefined) replacements.set(node, rewritten(graph, chain, replacement));
    else if (yes !== node.yes || no !== node.no) replacements.set(node, graph.node(node.action, yes, no));
  }
  return replacement(root);
}

/** Chains that can be made better, by their first members. */
function chainsOf(order: readonly Decision[]): Map<Node, Chain> {
  const arrivals = new Map<Node, number>();
  for (const { yes, no } of order)
    for (const end of [yes, no]) arrivals.set(end, (arrivals.get(end) ?? 0) + 1);
  const chains = new Map<Node, Chain>();
  const taken = new Set<Node>();
  for (const node of order) {
    if (taken.has(node) || !isTest(node)) continue;
    const chain = (['yes', 'no'] as const).map((shared) => chainFrom(node, shared, arrivals));
    const longest = chain.reduce((best, other) =>
      other.members.length > best.members.length ? other : best,
    );
    for (const member of longest.members) taken.add(member);
    if (isScattered(longest.members)) chains.set(node, longest);
  }
  return chains;
}

function isTest(node: Node): node is TestNode {
  return node.kind === 'decision' && node.action.kind === 'test';
}

/** The longest chain that begins with a test; nobody else may lead into its middle. */
function chainFrom(first: TestNode, shared: Side, arrivals: ReadonlyMap<Node, number>): Chain {
  const other = shared === 'yes' ? 'no' : 'yes';
  const members = [first];
  for (let next = first[other]; isTest(next); next = next[other]) {
    if (next[shared] !== first[shared] || arrivals.get(next) !== 1) break;
    members.push(next);
  }
  return { members, shared };
}

/** Whether tests of one value have tests of other values between them. */
function isScattered(members: readonly TestNode[]): boolean {
  const runs = members.filter((member, index) => member.action.left !== members[index - 1]?.action.left);
  return new Set(runs.map(({ action }) => action.left)).size < runs.length;
}

/** The chain with its members in groups, those that came first first. */
function rewritten(graph: Graph, { members, shared }: Chain, replacement: (node: Node) => Node): Node {
  const groups = new Map<Value, TestNode[]>();
  for (const member of members)
    groups.set(member.action.left, [...(groups.get(member.action.left) ?? []), member]);
  const ordered = [...groups.values()].flat();
  const [first] = members;
  const last = members.at(-1);
  if (first === undefined || last === undefined) throw new Error('a chain has members');
  const target = replacement(first[shared]);
  const end = replacement(shared === 'yes' ? last.no : last.yes);
  return ordered.reduceRight<Node>(
    (next, { action }) =>
      shared === 'yes' ? graph.node(action, target, next) : graph.node(action, next, target),
    end,
  );
}
