/** Numbers of the names that rules use: services, protocols, users, groups, ICMP types and codes (services(5), protocols(5), passwd(5), group(5)). */
import { parseCNumber } from './address.ts';
import type { PfEnvironment } from './environment.ts';
import { refuse } from './errors.ts';
import { icmpCodeByName, icmpTypeByName } from './names.ts';
import { PF_UNKNOWN_ID } from './ruleset.ts';
import type { PfFamily, PfOperator } from './ruleset.ts';
import type { IcmpSyntax, OperatorSyntax, Word } from './syntax.ts';

const PORT_MAX = 65_535;
const BYTE_MAX = 255;

export class NumberResolver {
  readonly #environment: PfEnvironment;

  constructor(environment: PfEnvironment) {
    this.#environment = environment;
  }

  port(word: Word): number {
    const number = parseCNumber(word.text);
    if (number !== undefined && number > PORT_MAX) refuse(word, `illegal port value ${word.text}`);
    return number ?? this.#environment.servicePort(word.text) ?? refuse(word, `unknown port ${word.text}`);
  }

  ports(list: readonly OperatorSyntax[]): PfOperator[] {
    return list.map(({ op, a, b }) => ({ op, a: this.port(a), ...(b && { b: this.port(b) }) }));
  }

  protocol(word: Word): number {
    const number = parseCNumber(word.text);
    if (number !== undefined && number > BYTE_MAX) refuse(word, 'protocol outside range');
    const protocol =
      number ?? this.#environment.protocolNumber(word.text) ?? refuse(word, `unknown protocol ${word.text}`);
    return protocol === 0 ? refuse(word, 'proto 0 cannot be used') : protocol;
  }

  users(list: readonly OperatorSyntax[]): PfOperator[] {
    return list.map((operator) => this.#owner(operator, 'user'));
  }

  groups(list: readonly OperatorSyntax[]): PfOperator[] {
    return list.map((operator) => this.#owner(operator, 'group'));
  }

  #owner({ op, a, b }: OperatorSyntax, kind: 'user' | 'group'): PfOperator {
    const numbers = { a: this.#id(a, kind), ...(b && { b: this.#id(b, kind) }) };
    const unknown = numbers.a === PF_UNKNOWN_ID || numbers.b === PF_UNKNOWN_ID;
    if (unknown && op !== '=' && op !== '!=') refuse(a, `${kind} unknown requires operator = or !=`);
    return { op, ...numbers };
  }

  #id(word: Word, kind: 'user' | 'group'): number {
    const number = parseCNumber(word.text);
    if (number !== undefined && number >= PF_UNKNOWN_ID) {
      refuse(word, `illegal ${kind === 'user' ? 'uid' : 'gid'} value ${word.text}`);
    }
    if (number !== undefined) return number;
    if (word.text === 'unknown') return PF_UNKNOWN_ID;
    const id = kind === 'user' ? this.#environment.userId(word.text) : this.#environment.groupId(word.text);
    return id ?? refuse(word, `unknown ${kind} ${word.text}`);
  }

  icmp(af: PfFamily, { type, code }: IcmpSyntax): { type: number; code?: number } {
    const label = af === 'inet' ? 'icmp' : 'icmp6';
    const typeNumber = byte(type, `${label}-type`) ?? icmpTypeByName(af, type.text);
    if (typeNumber === undefined) return refuse(type, `unknown ${label}-type ${type.text}`);
    if (!code) return { type: typeNumber };
    const codeNumber = byte(code, `${label}-code`) ?? icmpCodeByName(af, typeNumber, code.text);
    return codeNumber === undefined
      ? refuse(code, `unknown ${label}-code ${code.text}`)
      : { type: typeNumber, code: codeNumber };
  }

  /** Code of an unreachable that a blocked packet is answered with, as type * 256 + code. */
  returnCode(af: PfFamily, type: number, word: Word): number {
    const number = parseCNumber(word.text);
    if (number !== undefined && number > BYTE_MAX) refuse(word, `invalid icmp code ${word.text}`);
    const code =
      number ?? icmpCodeByName(af, type, word.text) ?? refuse(word, `unknown icmp code ${word.text}`);
    return type * 256 + code;
  }
}

function byte(word: Word, what: string): number | undefined {
  const number = parseCNumber(word.text);
  if (number !== undefined && number > BYTE_MAX) refuse(word, `illegal ${what} ${word.text}`);
  return number;
}
