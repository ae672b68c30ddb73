/**
 * Names that pf.conf(5) has for numbers of the protocols: ICMP types and codes (icmp(4), icmp6(4)), TCP flags, types of service. The first name of a number
 * is the one that listings use.
 */
import type { PfFamily } from './ruleset.ts';

export const ICMP_UNREACH = 3;
export const ICMP6_DST_UNREACH = 1;

type Type = readonly [name: string, type: number];
type Code = readonly [name: string, type: number, code: number];

const ICMP_TYPES: readonly Type[] = [
  ['echoreq', 8],
  ['echorep', 0],
  ['unreach', ICMP_UNREACH],
  ['squench', 4],
  ['redir', 5],
  ['althost', 6],
  ['routeradv', 9],
  ['routersol', 10],
  ['timex', 11],
  ['paramprob', 12],
  ['timereq', 13],
  ['timerep', 14],
  ['inforeq', 15],
  ['inforep', 16],
  ['maskreq', 17],
  ['maskrep', 18],
  ['trace', 30],
  ['dataconv', 31],
  ['mobredir', 32],
  ['ipv6-where', 33],
  ['ipv6-here', 34],
  ['mobregreq', 35],
  ['mobregrep', 36],
  ['skip', 39],
  ['photuris', 40],
];

const ICMP6_TYPES: readonly Type[] = [
  ['unreach', ICMP6_DST_UNREACH],
  ['toobig', 2],
  ['timex', 3],
  ['paramprob', 4],
  ['echoreq', 128],
  ['echorep', 129],
  ['groupqry', 130],
  ['listqry', 130],
  ['grouprep', 131],
  ['listenrep', 131],
  ['groupterm', 132],
  ['listendone', 132],
  ['routersol', 133],
  ['routeradv', 134],
  ['neighbrsol', 135],
  ['neighbradv', 136],
  ['redir', 137],
  ['routrrenum', 138],
  ['wrureq', 139],
  ['wrurep', 140],
  ['fqdnreq', 139],
  ['fqdnrep', 140],
  ['niqry', 139],
  ['nirep', 140],
  ['mtraceresp', 200],
  ['mtrace', 201],
];

const ICMP_CODES: readonly Code[] = [
  ['net-unr', ICMP_UNREACH, 0],
  ['host-unr', ICMP_UNREACH, 1],
  ['proto-unr', ICMP_UNREACH, 2],
  ['port-unr', ICMP_UNREACH, 3],
  ['needfrag', ICMP_UNREACH, 4],
  ['srcfail', ICMP_UNREACH, 5],
  ['net-unk', ICMP_UNREACH, 6],
  ['host-unk', ICMP_UNREACH, 7],
  ['isolate', ICMP_UNREACH, 8],
  ['net-prohib', ICMP_UNREACH, 9],
  ['host-prohib', ICMP_UNREACH, 10],
  ['net-tos', ICMP_UNREACH, 11],
  ['host-tos', ICMP_UNREACH, 12],
  ['filter-prohib', ICMP_UNREACH, 13],
  ['host-preced', ICMP_UNREACH, 14],
  ['cutoff-preced', ICMP_UNREACH, 15],
  ['redir-net', 5, 0],
  ['redir-host', 5, 1],
  ['redir-tos-net', 5, 2],
  ['redir-tos-host', 5, 3],
  ['normal-adv', 9, 0],
  ['common-adv', 9, 16],
  ['transit', 11, 0],
  ['reassemb', 11, 1],
  ['badhead', 12, 0],
  ['optmiss', 12, 1],
  ['badlen', 12, 2],
  ['unknown-ind', 40, 0],
  ['auth-fail', 40, 1],
  ['decrypt-fail', 40, 2],
];

const ICMP6_CODES: readonly Code[] = [
  ['admin-unr', ICMP6_DST_UNREACH, 1],
  ['noroute-unr', ICMP6_DST_UNREACH, 0],
  ['notnbr-unr', ICMP6_DST_UNREACH, 2],
  ['beyond-unr', ICMP6_DST_UNREACH, 2],
  ['addr-unr', ICMP6_DST_UNREACH, 3],
  ['port-unr', ICMP6_DST_UNREACH, 4],
  ['transit', 3, 0],
  ['reassemb', 3, 1],
  ['badhead', 4, 0],
  ['nxthdr', 4, 1],
  ['redironlink', 137, 0],
  ['redirrouter', 137, 1],
];

function types(af: PfFamily): readonly Type[] {
  return af === 'inet6' ? ICMP6_TYPES : ICMP_TYPES;
}

function codes(af: PfFamily): readonly Code[] {
  return af === 'inet6' ? ICMP6_CODES : ICMP_CODES;
}

export function icmpTypeByName(af: PfFamily, name: string): number | undefined {
  return types(af).find((entry) => entry[0] === name)?.[1];
}

export function icmpTypeName(af: PfFamily, type: number): string | undefined {
  return types(af).find((entry) => entry[1] === type)?.[0];
}

export function icmpCodeByName(af: PfFamily, type: number, name: string): number | undefined {
  return codes(af).find((entry) => entry[0] === name && entry[1] === type)?.[2];
}

export function icmpCodeName(af: PfFamily, type: number, code: number): string | undefined {
  return codes(af).find((entry) => entry[1] === type && entry[2] === code)?.[0];
}

/** Letters of the TCP flags from bit 0 on: FIN SYN RST PSH ACK URG ECE CWR. */
const TCP_FLAGS = 'FSRPAUEW';

/** Bits of flags, undefined if a letter is none. No letter stands for all of them. */
export function parseTcpFlags(text: string): number | undefined {
  let bits = 0;
  for (const letter of text) {
    const bit = TCP_FLAGS.indexOf(letter);
    if (bit < 0) return undefined;
    bits |= 1 << bit;
  }
  return bits === 0 ? 0xff : bits;
}

/** Letters of flags in the order of their bits. */
export function tcpFlagLetters(bits: number): string {
  return [...TCP_FLAGS].filter((_, bit) => bits & (1 << bit)).join('');
}

const TOS_NAMES: Readonly<Record<string, number>> = { lowdelay: 0x10, throughput: 0x08, reliability: 0x04 };

/** Type of service by name, decimal or 0x number; undefined unless 1 to 255. */
export function parseTos(text: string): number | undefined {
  const named = Object.hasOwn(TOS_NAMES, text) ? TOS_NAMES[text] : undefined;
  if (named !== undefined) return named;
  const value = text.startsWith('0x') ? Number.parseInt(text.slice(2), 16) : Number.parseInt(text, 10);
  return value >= 1 && value <= 255 ? value : undefined;
}
