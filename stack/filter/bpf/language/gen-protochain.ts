/**
 * `protochain`: whether a protocol is anywhere in the chain of headers of a packet. The program walks along the chain in a loop, which only interpreters run, not kernels. It
 * does what libpcap's does, also where that departs from the header formats: behind an authentication header (RFC 4302) it goes on at the header's length, counted
 * from the beginning of the network layer.
 */
import {
  BPF_ADD,
  BPF_ALU,
  BPF_B,
  BPF_IMM,
  BPF_IND,
  BPF_JA,
  BPF_JEQ,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_LDX,
  BPF_MEM,
  BPF_MISC,
  BPF_MSH,
  BPF_MUL,
  BPF_ST,
  BPF_TAX,
  BPF_TXA,
  BPF_ABS,
  BPF_X,
} from '../instruction.ts';
import { FilterFault } from './error.ts';
import { networkPlace, newRegister } from './generation.ts';
import type { Generation } from './generation.ts';
import { linkTypeIs } from './gen-link-type.ts';
import { atMost } from './gen-protocol.ts';
import {
  ETHERTYPE_IP,
  ETHERTYPE_IPV6,
  IPPROTO_AH,
  IPPROTO_DSTOPTS,
  IPPROTO_FRAGMENT,
  IPPROTO_HOPOPTS,
  IPPROTO_NONE,
  IPPROTO_ROUTING,
} from './numbers.ts';
import { and, or } from './predicate.ts';
import type { BlockInstruction, Predicate } from './predicate.ts';
import type { ProtocolWord } from './words.ts';

/** Whether the chain of headers contains a protocol. */
export function inProtocolChain(
  g: Generation,
  protocol: number,
  over: ProtocolWord | undefined,
  column: number,
): Predicate {
  if (over !== undefined && over !== 'ip' && over !== 'ip6')
    throw new FilterFault(`'${over}' is not a valid qualifier for 'protochain'`, column, "'ip' or 'ip6'");
  const { base, offset } = networkPlace(g);
  atMost(protocol, 255, 'protocol number', column);
  if (base !== undefined)
    throw new FilterFault("'protochain' not supported with variable length headers", column);
  const register = newRegister(g, column);
  g.fixed = true;
  const chain = (version: 4 | 6): Predicate => {
    const type = linkTypeIs(g, version === 4 ? ETHERTYPE_IP : ETHERTYPE_IPV6, column);
    return and(type, { kind: 'block', code: walk(version, protocol, offset, register), equals: protocol });
  };
  if (over === undefined) return or(chain(4), chain(6));
  return chain(over === 'ip' ? 4 : 6);
}

/** A jump to a named place in the block, before places are numbers. */
type Target = 'loop' | 'extension' | 'authentication' | 'end' | 'next';

interface Line extends BlockInstruction {
  readonly label?: Target;
  readonly yes?: Target;
  readonly no?: Target;
}

function line(code: number, k = 0, more: Partial<Line> = {}): Line {
  return { code, jt: 0, jf: 0, k, ...more };
}

function jumpIfEqual(k: number, yes: Target, no: Target = 'next', label?: Target): Line {
  return line(BPF_JMP | BPF_JEQ | BPF_K, k, { yes, no, ...(label === undefined ? {} : { label }) });
}

/** The loop: A is the protocol of the header at X, counted from the network layer. */
function walk(version: 4 | 6, protocol: number, offset: number, scratch: number): BlockInstruction[] {
  const start =
    version === 4
      ? [line(BPF_LD | BPF_ABS | BPF_B, offset + 9), line(BPF_LDX | BPF_MSH | BPF_B, offset)]
      : [line(BPF_LD | BPF_ABS | BPF_B, offset + 6), line(BPF_LDX | BPF_IMM, 40)];
  return resolved([
    ...start,
    jumpIfEqual(protocol, 'end', 'next', 'loop'),
    jumpIfEqual(IPPROTO_NONE, 'end'),
    ...(version === 6 ? extensionHeaders(offset, scratch) : []),
    jumpIfEqual(IPPROTO_AH, 'next', 'end', 'authentication'),
    ...authenticationHeader(offset, scratch),
  ]);
}

/** Hop-by-hop options, destination options, routing, fragment (RFC 8200 §4): length in units of eight bytes, without the first. */
function extensionHeaders(offset: number, scratch: number): Line[] {
  return [
    jumpIfEqual(IPPROTO_HOPOPTS, 'extension'),
    jumpIfEqual(IPPROTO_DSTOPTS, 'extension'),
    jumpIfEqual(IPPROTO_ROUTING, 'extension'),
    jumpIfEqual(IPPROTO_FRAGMENT, 'extension', 'authentication'),
    line(BPF_LD | BPF_IND | BPF_B, offset, { label: 'extension' }),
    line(BPF_ST, 0, { scratch }),
    line(BPF_LD | BPF_IND | BPF_B, offset + 1),
    line(BPF_ALU | BPF_ADD | BPF_K, 1),
    line(BPF_ALU | BPF_MUL | BPF_K, 8),
    line(BPF_ALU | BPF_ADD | BPF_X),
    line(BPF_MISC | BPF_TAX),
    line(BPF_LD | BPF_MEM, 0, { scratch }),
    line(BPF_JMP | BPF_JA, 0, { yes: 'loop' }),
  ];
}

/** Length in units of four bytes, without the first two. */
function authenticationHeader(offset: number, scratch: number): Line[] {
  return [
    line(BPF_LD | BPF_IND | BPF_B, offset),
    line(BPF_ST, 0, { scratch }),
    line(BPF_MISC | BPF_TXA),
    line(BPF_ALU | BPF_ADD | BPF_K, 1),
    line(BPF_MISC | BPF_TAX),
    line(BPF_LD | BPF_IND | BPF_B, offset),
    line(BPF_ALU | BPF_ADD | BPF_K, 2),
    line(BPF_ALU | BPF_MUL | BPF_K, 4),
    line(BPF_MISC | BPF_TAX),
    line(BPF_LD | BPF_MEM, 0, { scratch }),
    line(BPF_JMP | BPF_JA, 0, { yes: 'loop' }),
  ];
}

/** Replaces names of places by distances; the end lies behind the last line. */
function resolved(lines: readonly Line[]): BlockInstruction[] {
  return lines.map(({ yes, no, label: _label, ...instruction }, index) => {
    const distance = (target: Target | undefined): number => {
      if (target === undefined || target === 'next') return 0;
      const place = target === 'end' ? lines.length : lines.findIndex((other) => other.label === target);
      return place - index - 1;
    };
    if (instruction.code === (BPF_JMP | BPF_JA)) return { ...instruction, k: distance(yes) >>> 0 };
    return { ...instruction, jt: distance(yes), jf: distance(no) };
  });
}
