/** Spoiled filter expressions: each ends in a program that the machine survives, or in an error that points into it, and soon. */
import { FILTER_LINK_TYPES } from '../../../../stack/filter/bpf/language/link-state.ts';
import { compileFilter } from '../../../../stack/filter/bpf/language/compile.ts';
import { interpret } from '../../../../stack/filter/bpf/interpreter.ts';
import { ExpressionWriter, mutated } from '../../../support/bpf-expressions.ts';
import { seededRandom } from '../../../support/bpf-packets.ts';

export interface Survival {
  readonly accepted: number;
  readonly refused: number;
  /** The longest that one expression took, in milliseconds. */
  readonly slowest: number;
  /** Expressions whose error points outside them. */
  readonly misplaced: readonly string[];
}

/** Compiles spoiled expressions and runs what they became over a packet of noise. */
export function surviveMutations(count: number, seed: number): Survival {
  const random = seededRandom(seed);
  const linkTypes = [...FILTER_LINK_TYPES.keys()];
  const packet = Uint8Array.from({ length: 200 }, () => random(256));
  const misplaced: string[] = [];
  let [accepted, refused, slowest] = [0, 0, 0];
  for (let index = 0; index < count; index++) {
    const linkType = linkTypes[random(linkTypes.length)] ?? 1;
    const expression = mutated(new ExpressionWriter(linkType, random).expression(), random);
    const begun = performance.now();
    const compiled = compileFilter(expression, { linkType });
    slowest = Math.max(slowest, performance.now() - begun);
    if ('program' in compiled) {
      accepted++;
      interpret(compiled.program, packet, packet.length);
    } else {
      refused++;
      const { column, message } = compiled.error;
      if (message === '' || column < 1 || column > expression.length + 1) misplaced.push(expression);
    }
  }
  return { accepted, refused, slowest, misplaced };
}
