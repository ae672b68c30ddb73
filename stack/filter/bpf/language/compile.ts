/**
 * The compiler of the filter language: an expression of pcap-filter(7) becomes a program of the BPF machine that does what libpcap's does. Tokens, tree, conditions, a
 * graph of decisions, the graph made smaller, instructions: each has its own file.
 */
import type { BpfProgram } from '../instruction.ts';
import { emitProgram } from './emit.ts';
import { FilterFault } from './error.ts';
import type { FilterError } from './error.ts';
import { generate } from './generate.ts';
import type { Generated } from './generate.ts';
import { Graph, inOrder } from './graph.ts';
import type { Node } from './graph.ts';
import { FILTER_LINK_TYPES } from './link-state.ts';
import { Liveness, optimize } from './optimize.ts';
import { parseFilter } from './parser.ts';
import type { FilterResolver } from './resolver.ts';
import { Values } from './value.ts';

export interface FilterOptions {
  /** DLT number of what is captured; one of FILTER_LINK_TYPES. */
  readonly linkType: number;
  /** Bytes to keep of accepted packets: what the program returns for them. 262144 unless told otherwise, as tcpdump has it. */
  readonly snaplen?: number;
  /** False to leave the program as it was generated. */
  readonly optimize?: boolean;
  /** Netmask of the network captured on, for `ip broadcast`. */
  readonly netmask?: number;
  readonly resolver?: FilterResolver;
  /** Instructions after which a program is refused; BPF_MAXINSNS for one that a kernel shall run. 4096 unless told otherwise. */
  readonly maxInstructions?: number;
}

export type CompiledFilter = { readonly program: BpfProgram } | { readonly error: FilterError };

const DEFAULT_SNAPLEN = 262_144;
const DEFAULT_INSTRUCTIONS = 4096;

/** Compiles an expression; an empty one accepts every packet. */
export function compileFilter(expression: string, options: FilterOptions): CompiledFilter {
  try {
    return { program: compile(expression, options) };
  } catch (error) {
    if (error instanceof FilterFault) return { error: error.fault };
    throw error;
  }
}

function compile(expression: string, options: FilterOptions): BpfProgram {
  const { linkType, snaplen = DEFAULT_SNAPLEN, resolver = {}, netmask } = options;
  if (!FILTER_LINK_TYPES.has(linkType)) {
    const known = [...FILTER_LINK_TYPES.values()].join(', ');
    throw new FilterFault(`there are no filters for packets of link type ${linkType}`, 1, `one of ${known}`);
  }
  const tree = parseFilter(expression);
  const values = new Values();
  const generated = generate(tree, linkType, values, resolver, netmask);
  const graph = new Graph();
  const root = decisions(graph, generated, options);
  if (root === graph.reject && options.optimize !== false && !generated.fixed)
    throw new FilterFault('expression rejects all packets', 1);
  const program = emitProgram(graph, values, root, snaplen);
  const { maxInstructions = DEFAULT_INSTRUCTIONS } = options;
  if (program.length <= maxInstructions) return program;
  throw new FilterFault(
    `the expression needs ${program.length} instructions; a program may have ${maxInstructions}`,
    1,
  );
}

/** The graph of a condition, optimized unless that is not wanted or not possible. */
function decisions(graph: Graph, { predicate, prologue, fixed }: Generated, options: FilterOptions): Node {
  let root = graph.build(predicate, graph.accept, graph.reject);
  if (prologue !== undefined && readsRegister(root, prologue.register))
    root = graph.build(prologue.predicate, root, root);
  return options.optimize === false || fixed ? graph.unified(root) : optimize(graph, root);
}

function readsRegister(root: Node, register: number): boolean {
  const live = new Liveness();
  for (const node of inOrder(root).reverse()) live.note(node);
  return (live.at(root) & (1 << register)) !== 0;
}
