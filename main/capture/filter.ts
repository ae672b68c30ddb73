/**
 * Filter expressions (pcap-filter(7)) for captured packets: compiled for the link type that a file gives them, which is not always the number that filters know it by.
 */
import type { BpfProgram } from '../../stack/filter/bpf/instruction.ts';
import { BPF_MAXINSNS } from '../../stack/filter/bpf/instruction.ts';
import { interpret } from '../../stack/filter/bpf/interpreter.ts';
import { compileFilter } from '../../stack/filter/bpf/language/compile.ts';
import type { FilterError } from '../../stack/filter/bpf/language/error.ts';
import { FILTER_LINK_TYPES } from '../../stack/filter/bpf/language/link-state.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from './link-type.ts';

/** The longest expression that is read, in characters. */
export const MOST_FILTER_TEXT = 4096;
const DLT_RAW = 12;

/** An expression that is wrong: what, and in which column. */
export class FilterTextError extends Error {
  constructor({ message, column, expected }: FilterError) {
    super(`column ${column}: ${message}${expected === undefined ? '' : `; expected ${expected}`}`);
    this.name = 'FilterTextError';
  }
}

/** The program of an expression for packets of a LINKTYPE. Throws FilterTextError. */
export function captureFilter(expression: string, linkType: number): BpfProgram {
  const compiled = compileFilter(expression, {
    linkType: linkType === LINKTYPE_RAW ? DLT_RAW : linkType,
    maxInstructions: BPF_MAXINSNS,
  });
  if ('error' in compiled) throw new FilterTextError(compiled.error);
  return compiled.program;
}

/** What is wrong with an expression for packets of these LINKTYPEs; undefined if nothing is. */
export function filterProblem(expression: string, linkTypes: Iterable<number>): string | undefined {
  try {
    for (const linkType of linkTypes) captureFilter(expression, linkType);
    return undefined;
  } catch (error) {
    if (error instanceof FilterTextError) return error.message;
    throw error;
  }
}

/** Throws FilterTextError for an expression that is none, whatever it is to be used on; what it says is meant for frames. */
export function expectFilter(expression: string): void {
  const isFor = (linkType: number): boolean => filterProblem(expression, [linkType]) === undefined;
  if (![LINKTYPE_ETHERNET, ...FILTER_LINK_TYPES.keys()].some(isFor))
    captureFilter(expression, LINKTYPE_ETHERNET);
}

/** A packet as it was captured. */
interface Matchable {
  /** LINKTYPE number. */
  readonly linkType: number;
  /** Bytes on the wire. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** Tells which packets an expression takes; none of link types for which it says nothing. */
export function packetMatcher(expression: string): (packet: Matchable) => boolean {
  const programs = new Map<number, BpfProgram | undefined>();
  const programFor = (linkType: number): BpfProgram | undefined => {
    if (!programs.has(linkType)) {
      const sound = filterProblem(expression, [linkType]) === undefined;
      programs.set(linkType, sound ? captureFilter(expression, linkType) : undefined);
    }
    return programs.get(linkType);
  };
  return ({ linkType, bytes, length }) => {
    const program = programFor(linkType);
    return program !== undefined && interpret(program, bytes, length) !== 0;
  };
}
