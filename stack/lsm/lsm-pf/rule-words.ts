/**
 * What is compared of the rules of a list, as words of one array: a walk along thousands of rules stays in the cache of a processor, and touches the rules themselves when it finds one.
 */
import { ADDRESS, OPERATOR } from './rules.ts';
import type { HostTest, Rule } from './rules.ts';

/** Words of each rule, and the first of each kind. */
export const WORDS = 16;
export const WORD = { interface: 0, direction: 1, bits: 2, protocol: 3, source: 4, destination: 10 } as const;
/** Words of an end of a rule, from WORD.source or WORD.destination on. */
export const END = { kind: 0, value: 1, mask: 2, ports: 3, lowest: 4, highest: 5 } as const;

/** What END.kind says: networks are compared here, whatever else there is by the rule (HostTest). */
export const KIND = { any: 0, network: 1, otherNetwork: 2, asked: 3 } as const;
/** What END.ports says: where the port has to lie, from the lowest to the highest or outside of that. */
export const PORTS = { any: 0, inside: 1, outside: 2 } as const;

/** Of WORD.bits: a rule for IPv6, which no packet here is. */
export const BIT_INET6 = 1;
/** Of WORD.bits: a rule that has further criteria. */
export const BIT_SPECIAL = 2;
/** Of WORD.bits, shifted by a criterion of SKIP: the rule is in a run over it (rule-runs.ts). */
export const BIT_RUN = 1 << 8;

const HIGHEST_PORT = 0xffff;

/** The kind of a condition on ports, the lowest and the highest. */
function portWords({ portOperator, portA: a, portB: b }: HostTest): [number, number, number] {
  switch (portOperator) {
    case OPERATOR.none:
      return [PORTS.any, 0, 0];
    case OPERATOR['=']:
      return [PORTS.inside, a, a];
    case OPERATOR['!=']:
      return [PORTS.outside, a, a];
    case OPERATOR['<']:
      return [PORTS.inside, 0, a - 1];
    case OPERATOR['<=']:
      return [PORTS.inside, 0, a];
    case OPERATOR['>']:
      return [PORTS.inside, a + 1, HIGHEST_PORT];
    case OPERATOR['>=']:
      return [PORTS.inside, a, HIGHEST_PORT];
    case OPERATOR[':']:
      return [PORTS.inside, a, b];
    case OPERATOR['><']:
      return [PORTS.inside, a + 1, b - 1];
    default:
      return [PORTS.outside, a, b];
  }
}

function kindOf({ kind, not, tested }: HostTest): number {
  if (!tested) return KIND.any;
  if (kind !== ADDRESS.network) return KIND.asked;
  return not ? KIND.otherNetwork : KIND.network;
}

function endWords(host: HostTest): number[] {
  return [kindOf(host), host.address, host.mask, ...portWords(host)];
}

/** The words of all rules of a list. @param interfaces for each rule, which condition on interfaces it has. */
export function wordsOf(rules: readonly Rule[], interfaces: readonly number[]): Int32Array {
  const words = new Int32Array(WORDS * rules.length);
  rules.forEach(({ direction, family, protocol, special, src, dst }, i) => {
    const bits = (family === 2 ? BIT_INET6 : 0) | (special ? BIT_SPECIAL : 0);
    words.set([interfaces[i]!, direction, bits, protocol, ...endWords(src), ...endWords(dst)], i * WORDS);
  });
  return words;
}
