/**
 * Writes a graph of decisions as a program: an order for its nodes, the instructions of each, and the jumps between them, which reach 255 instructions far and go through
 * an unconditional jump beyond that.
 */
import { BPF_JA, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_MEMWORDS, BPF_RET, BPF_X } from '../instruction.ts';
import type { BpfInstruction, BpfProgram } from '../instruction.ts';
import { FilterFault } from './error.ts';
import { Evaluator, NOTHING_HELD } from './evaluate.ts';
import type { RegisterContents, ScratchWords } from './evaluate.ts';
import { inOrder } from './graph.ts';
import type { Action, Decision, Graph, Leaf, Node } from './graph.ts';
import { Liveness } from './optimize.ts';
import type { Value, Values } from './value.ts';

/** The farthest that the two ways of a comparison reach. */
const NEAR = 255;

/** A node with its instructions; the jump at its end comes when places are known. */
interface Piece {
  readonly node: Node;
  /** Where it goes on; itself for a leaf. */
  readonly yes: Node;
  readonly no: Node;
  readonly body: readonly BpfInstruction[];
  /** The comparison at its end, without its ways. */
  readonly comparison: { readonly code: number; readonly k: number } | undefined;
  /** Whether its ways need an unconditional jump each. */
  farYes: boolean;
  farNo: boolean;
}

/**
 * The program of a graph.
 *
 * @param snaplen what it returns for packets it accepts.
 * @throws FilterFault if more scratch words are needed than there are.
 */
export function emitProgram(graph: Graph, values: Values, root: Node, snaplen: number): BpfProgram {
  const start = initialized(graph, values, root);
  const order = inOrder(start);
  const scratch = scratchWords(order);
  const held = new Map<Node, RegisterContents>([[start, NOTHING_HELD]]);
  const pieces = order.map((node) => decisionPiece(node, held, scratch, values));
  for (const leaf of leavesInOrder(graph, start)) {
    const reached = leaf === start || order.some(({ yes, no }) => yes === leaf || no === leaf);
    if (reached) pieces.push(leafPiece(leaf, snaplen));
  }
  return assemble(merged(pieces));
}

/** The two ends of a program, the one last that is reached if no test holds. */
function leavesInOrder({ accept, reject }: Graph, start: Node): Leaf[] {
  let node = start;
  while (node.kind === 'decision') node = node.no;
  return node === accept ? [reject, accept] : [accept, reject];
}

function leafPiece(leaf: Leaf, snaplen: number): Piece {
  const returns = { code: BPF_RET | BPF_K, jt: 0, jf: 0, k: leaf.accepts ? snaplen : 0 };
  return {
    node: leaf,
    yes: leaf,
    no: leaf,
    body: [returns],
    comparison: undefined,
    farYes: false,
    farNo: false,
  };
}

/** Pieces of which equal ones have become one: tests of a value that is in A already are equal whatever that value was loaded from. */
function merged(pieces: readonly Piece[]): Piece[] {
  const known = new Map<string, Node>();
  const replacements = new Map<Node, Node>();
  const replacement = (node: Node): Node => replacements.get(node) ?? node;
  const kept: Piece[] = [];
  for (const piece of pieces.toReversed()) {
    const [yes, no] = [replacement(piece.yes), replacement(piece.no)];
    const body = piece.body.map(({ code, jt, jf, k }) => `${code} ${jt} ${jf} ${k}`).join(',');
    const { comparison } = piece;
    const key = `${body};${comparison?.code} ${comparison?.k};${yes.id} ${no.id}`;
    const same = known.get(key);
    if (same === undefined || piece.node.kind === 'leaf') {
      known.set(key, piece.node);
      kept.push({ ...piece, yes, no });
    } else {
      replacements.set(piece.node, same);
    }
  }
  return kept.reverse();
}

/** A register that some path reads before it was set holds 0 there: the validator wants that to be written down. */
function initialized(graph: Graph, values: Values, root: Node): Node {
  const live = new Liveness();
  for (const node of inOrder(root).reverse()) live.note(node);
  let start = root;
  for (let register = 30; register >= 0; register--) {
    if ((live.at(root) & (1 << register)) === 0) continue;
    start = graph.node({ kind: 'assign', register, value: values.constant(0) }, start, start);
  }
  return start;
}

function scratchWords(order: readonly Decision[]): ScratchWords {
  const registers = new Set(order.flatMap(({ action }) => registersSet(action)));
  const words = new Map([...registers].map((register, word) => [register, word]));
  const checked = (word: number): number => {
    if (word < BPF_MEMWORDS) return word;
    throw new FilterFault(`the expression needs more than ${BPF_MEMWORDS} scratch words`, 1);
  };
  return {
    wordOf: (register) => checked(words.get(register) ?? 0),
    temporary: (depth) => checked(words.size + depth),
  };
}

function registersSet(action: Action): number[] {
  if (action.kind === 'assign') return [action.register];
  if (action.kind !== 'block') return [];
  return action.code.flatMap(({ scratch }) => (scratch === undefined ? [] : [scratch]));
}

function decisionPiece(
  node: Decision,
  held: Map<Node, RegisterContents>,
  scratch: ScratchWords,
  values: Values,
): Piece {
  const evaluator = new Evaluator(held.get(node) ?? NOTHING_HELD, scratch);
  const comparison = act(node.action, evaluator, scratch, values);
  for (const next of [node.yes, node.no]) {
    const others = held.get(next);
    held.set(next, others === undefined ? evaluator.contents() : shared(others, evaluator.contents()));
  }
  const { yes, no } = node;
  return { node, yes, no, body: evaluator.instructions, comparison, farYes: false, farNo: false };
}

/** What the registers hold whichever way a node was reached. */
function shared(left: RegisterContents, right: RegisterContents): RegisterContents {
  return {
    a: left.a.filter((value) => right.a.includes(value)),
    x: left.x.filter((value) => right.x.includes(value)),
  };
}

function act(
  action: Action,
  evaluator: Evaluator,
  scratch: ScratchWords,
  values: Values,
): Piece['comparison'] {
  switch (action.kind) {
    case 'assign':
      evaluator.assign(action.register, values.register(action.register), action.value);
      return undefined;
    case 'probe':
      evaluator.toA(action.value);
      return undefined;
    case 'block':
      for (const { scratch: register, ...instruction } of action.code)
        evaluator.instructions.push(
          register === undefined ? instruction : { ...instruction, k: scratch.wordOf(register) },
        );
      evaluator.forget();
      return { code: BPF_JMP | BPF_JEQ | BPF_K, k: action.equals };
    case 'constant':
      throw new Error('decisions of constants do not become instructions');
    case 'test':
      return compare(action.comparison, action.left, action.right, evaluator);
  }
}

function compare(comparison: number, left: Value, right: Value, evaluator: Evaluator): Piece['comparison'] {
  evaluator.operands(left, right, comparison === BPF_JEQ || comparison === BPF_JSET);
  if (right.kind === 'constant') return { code: BPF_JMP | comparison | BPF_K, k: right.k };
  return { code: BPF_JMP | comparison | BPF_X, k: 0 };
}

/** Puts pieces behind each other; ways that turn out too far are lengthened until all fit. */
function assemble(pieces: readonly Piece[]): BpfProgram {
  for (;;) {
    const places = placesOf(pieces);
    if (!lengthen(pieces, places))
      return pieces.flatMap((piece, index) => written(piece, index, pieces, places));
  }
}

/** Where each node begins. */
function placesOf(pieces: readonly Piece[]): Map<Node, number> {
  const places = new Map<Node, number>();
  let place = 0;
  for (const [index, piece] of pieces.entries()) {
    places.set(piece.node, place);
    place += piece.body.length + endLength(piece, pieces[index + 1]);
  }
  return places;
}

function endLength({ node, yes, comparison, farYes, farNo }: Piece, following: Piece | undefined): number {
  if (node.kind === 'leaf') return 0;
  if (comparison === undefined) return yes === following?.node ? 0 : 1;
  return 1 + Number(farYes) + Number(farNo);
}

/** Marks the ways that are too far. Returns whether there were new ones. */
function lengthen(pieces: readonly Piece[], places: ReadonlyMap<Node, number>): boolean {
  let changed = false;
  for (const piece of pieces) {
    if (piece.comparison === undefined) continue;
    const end = (places.get(piece.node) ?? 0) + piece.body.length + 1;
    const far = (next: Node): boolean => (places.get(next) ?? 0) - end > NEAR;
    if (!piece.farYes && far(piece.yes)) changed = piece.farYes = true;
    if (!piece.farNo && far(piece.no)) changed = piece.farNo = true;
  }
  return changed;
}

function written(
  piece: Piece,
  index: number,
  pieces: readonly Piece[],
  places: ReadonlyMap<Node, number>,
): BpfInstruction[] {
  const { node, yes, no, body, comparison, farYes, farNo } = piece;
  if (node.kind === 'leaf') return [...body];
  const place = (next: Node): number => places.get(next) ?? 0;
  const end = place(node) + body.length + 1;
  const jump = (from: number, to: Node): BpfInstruction => {
    return { code: BPF_JMP | BPF_JA, jt: 0, jf: 0, k: place(to) - from - 1 };
  };
  if (comparison === undefined)
    return endLength(piece, pieces[index + 1]) === 0 ? [...body] : [...body, jump(end - 1, yes)];
  const jt = farYes ? 0 : place(yes) - end;
  const jf = farNo ? Number(farYes) : place(no) - end;
  return [
    ...body,
    { ...comparison, jt, jf },
    ...(farYes ? [jump(end, yes)] : []),
    ...(farNo ? [jump(end + Number(farYes), no)] : []),
  ];
}
