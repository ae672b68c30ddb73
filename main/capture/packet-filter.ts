/** A filter expression over the packets of a capture, whose interfaces may have several link types: compiled once for each. */
import type { BpfProgram } from '../../stack/filter/bpf/instruction.ts';
import { interpret } from '../../stack/filter/bpf/interpreter.ts';
import { compileFilter } from '../../stack/filter/bpf/language/compile.ts';
import type { FilterError } from '../../stack/filter/bpf/language/error.ts';
import { DLT_RAW, FILTER_LINK_TYPES } from '../../stack/filter/bpf/language/link-state.ts';
import { LINKTYPE_RAW, linkTypeName } from './link-type.ts';
import type { CapturedPacket, CaptureRecord } from './packet.ts';

/** Thrown for an expression that is wrong, at all or for a link type of the capture. */
export class FilterExpressionError extends Error {
  readonly expression: string;
  readonly fault: FilterError;

  constructor(expression: string, fault: FilterError, linkType: number) {
    super(`for packets of link type ${linkTypeName(linkType)}: ${fault.message}`);
    this.expression = expression;
    this.fault = fault;
  }
}

/** The link type that filters know for one of a capture file; undefined if they know none. */
export function filterLinkType(linkType: number): number | undefined {
  const number = linkType === LINKTYPE_RAW ? DLT_RAW : linkType;
  return FILTER_LINK_TYPES.has(number) ? number : undefined;
}

export class PacketFilter {
  readonly #expression: string;
  readonly #linkTypes: number[] = [];
  readonly #programs = new Map<number, BpfProgram | undefined>();

  constructor(expression: string) {
    this.#expression = expression;
  }

  /** Takes the records of a capture in: packets need the interfaces before them. */
  observe(record: CaptureRecord): void {
    if (record.kind === 'interface') this.#linkTypes[record.id] = record.interface.linkType;
  }

  /** The link type of a packet, as files number them. */
  linkTypeOf(packet: CapturedPacket): number {
    return this.#linkTypes[packet.interfaceId] ?? 0;
  }

  /**
   * Whether the expression accepts a packet; undefined for packets of a link type that filters do not know.
   *
   * @throws FilterExpressionError
   */
  accepts(packet: CapturedPacket): boolean | undefined {
    const program = this.program(this.linkTypeOf(packet));
    return program === undefined ? undefined : interpret(program, packet.data, packet.originalLength) !== 0;
  }

  /**
   * The program for a link type.
   *
   * @throws FilterExpressionError
   */
  program(linkType: number): BpfProgram | undefined {
    if (this.#programs.has(linkType)) return this.#programs.get(linkType);
    const program = this.#compile(linkType);
    this.#programs.set(linkType, program);
    return program;
  }

  #compile(linkType: number): BpfProgram | undefined {
    const known = filterLinkType(linkType);
    if (known === undefined) return undefined;
    const compiled = compileFilter(this.#expression, { linkType: known });
    if ('program' in compiled) return compiled.program;
    throw new FilterExpressionError(this.#expression, compiled.error, linkType);
  }
}
