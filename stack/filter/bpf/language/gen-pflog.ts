/** What pf(4) logs about a packet, in the header of pflog(4). */
import { FilterFault } from './error.ts';
import { equals, load, sameBytes } from './generation.ts';
import type { Generation } from './generation.ts';
import { DLT_PFLOG } from './link-state.ts';
import type { Predicate } from './predicate.ts';
import { namedNumber } from './words.ts';

/** Fields of the header: offset, and length for names. */
const ACTION = 2;
const REASON = 3;
const IFNAME = 4;
const IFNAME_SIZE = 16;
const RULESET = 20;
const RULESET_SIZE = 16;
const RULE = 36;
const SUBRULE = 40;
/** Whether the packet came in (1) or went out (2). */
export const PFLOG_DIRECTION = 60;

const REASONS: Readonly<Record<string, number>> = {
  match: 0,
  'bad-offset': 1,
  fragment: 2,
  short: 3,
  normalize: 4,
  memory: 5,
  'bad-timestamp': 6,
  congestion: 7,
  'ip-option': 8,
  'proto-cksum': 9,
  'state-mismatch': 10,
  'state-insert': 11,
  'state-limit': 12,
  'src-limit': 13,
  synproxy: 14,
};

const ACTIONS: Readonly<Record<string, number>> = {
  pass: 0,
  accept: 0,
  drop: 1,
  block: 1,
  scrub: 2,
  noscrub: 3,
  nat: 4,
  nonat: 5,
  binat: 6,
  nobinat: 7,
  rdr: 8,
  nordr: 9,
  'synproxy-drop': 10,
};

/** A field of text. */
export function isPflogName(g: Generation, word: 'ifname' | 'rset', name: string, column: number): Predicate {
  requirePflog(g, word, column);
  const [offset, size] = word === 'ifname' ? [IFNAME, IFNAME_SIZE] : [RULESET, RULESET_SIZE];
  const bytes = new TextEncoder().encode(name);
  if (bytes.length >= size)
    throw new FilterFault(`${word} '${name}' is longer than ${size - 1} characters`, column);
  return sameBytes(g, g.link.header, offset, bytes);
}

/** The number of a rule, or of one within an anchor. */
export function isPflogRule(g: Generation, word: 'rnr' | 'srnr', rule: number, column: number): Predicate {
  requirePflog(g, word, column);
  return equals(g, load(g, g.link.header, word === 'rnr' ? RULE : SUBRULE, 4), rule);
}

/** Why a packet was logged, or what was done with it. */
export function isPflogCode(
  g: Generation,
  word: 'reason' | 'action',
  code: string | number,
  column: number,
): Predicate {
  requirePflog(g, word, column);
  const names = word === 'reason' ? REASONS : ACTIONS;
  const number = typeof code === 'number' ? code : namedNumber(names, code);
  if (number === undefined)
    throw new FilterFault(`unknown PF ${word} "${code}"`, column, `one of ${Object.keys(names).join(', ')}`);
  return equals(g, load(g, g.link.header, word === 'reason' ? REASON : ACTION, 1), number);
}

function requirePflog(g: Generation, word: string, column: number): void {
  if (g.link.linkType !== DLT_PFLOG)
    throw new FilterFault(`'${word}' supported only on PFLOG linktype`, column);
}
