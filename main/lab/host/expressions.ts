/** Filter expressions of pcap-filter(7) for the window: compiled while they are written, explained for a packet. */
import { linkTypeName } from '../../capture/link-type.ts';
import { filterLinkType } from '../../capture/packet-filter.ts';
import { BPF_MAXINSNS } from '../../../stack/filter/bpf/instruction.ts';
import type { BpfInstruction, BpfProgram } from '../../../stack/filter/bpf/instruction.ts';
import { trace } from '../../../stack/filter/bpf/interpreter.ts';
import type { BpfStep } from '../../../stack/filter/bpf/interpreter.ts';
import { compileFilter } from '../../../stack/filter/bpf/language/compile.ts';
import type { FilterOptions } from '../../../stack/filter/bpf/language/compile.ts';
import { FILTER_LINK_TYPES } from '../../../stack/filter/bpf/language/link-state.ts';
import { listingLine } from '../../../stack/filter/bpf/listing.ts';
import type { CompiledExpression, ExplainedPacket, ProgramStep } from '../../api/filter-model.ts';
import type { RawPacket } from './packet-ring.ts';

/** Steps that are shown of one run: programs that loop over headers may have many. */
const MOST_STEPS = 2_000;

/** A program that packets are chosen by is as short as one for a kernel; as it was generated it may be longer. */
function optionsFor(linkType: number, optimize: boolean): FilterOptions {
  return optimize ? { linkType, maxInstructions: BPF_MAXINSNS } : { linkType, optimize };
}

/** @param linkType LINKTYPE number. @throws Error that says what is wrong, and for which packets. */
function programFor(expression: string, linkType: number, optimize: boolean): BpfProgram {
  const known = filterLinkType(linkType);
  const kind = linkTypeName(linkType);
  if (known === undefined) throw new Error(`there are no filters for packets of link type ${kind}`);
  const compiled = compileFilter(expression, optionsFor(known, optimize));
  if ('program' in compiled) return compiled.program;
  const { message, column, expected } = compiled.error;
  const hint = expected === undefined ? '' : `; expected ${expected}`;
  throw new Error(`column ${column}, for packets of link type ${kind}: ${message}${hint}`);
}

function listingOf(program: BpfProgram): string[] {
  return program.map((instruction, index) => listingLine(instruction, index));
}

export function compileExpression(
  expression: string,
  linkType: number,
  optimize: boolean,
): CompiledExpression {
  const known = filterLinkType(linkType);
  const kind = linkTypeName(linkType);
  if (known === undefined)
    return {
      ok: false,
      error: {
        message: `there are no filters for packets of link type ${kind}`,
        column: 1,
        expected: [...FILTER_LINK_TYPES.values()].join(', '),
      },
    };
  const compiled = compileFilter(expression, optionsFor(known, optimize));
  if ('program' in compiled) return { ok: true, linkType: kind, listing: listingOf(compiled.program) };
  return { ok: false, error: compiled.error };
}

export function explainPacket(expression: string, packet: RawPacket, optimize: boolean): ExplainedPacket {
  const program = programFor(expression, packet.linkType, optimize);
  const steps: ProgramStep[] = [];
  let count = 0;
  let result = 0;
  for (const step of trace(program, packet.bytes, packet.length)) {
    if (count++ < MOST_STEPS) steps.push(shownStep(step));
    result = step.result ?? 0;
  }
  return {
    linkType: linkTypeName(packet.linkType),
    listing: listingOf(program),
    steps,
    more: count - steps.length,
    result,
  };
}

function shownStep({ pc, instruction, a, x, scratch, loaded, branch }: BpfStep): ProgramStep {
  return {
    pc,
    a,
    x,
    memory: scratch.flatMap((value, word) => (value === 0 ? [] : [{ word, value }])),
    ...(loaded !== undefined && {
      loaded: { offset: loaded.offset, size: loaded.size, value: loaded.value ?? null },
    }),
    ...(branch !== undefined && { branch, next: target(pc, instruction, branch) }),
  };
}

function target(pc: number, { jt, jf }: BpfInstruction, branch: boolean): number {
  return pc + 1 + (branch ? jt : jf);
}
