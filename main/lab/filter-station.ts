/**
 * The station at a packet filter in words, and back: the numbers are those of STATION.filter (lsm-pf/test.ts), the words travel with journeys, also in capture files.
 */

/** What a filter decided about a packet. */
export interface FilterDecision {
  readonly pass: boolean;
  /** A state had decided before; the rule is the one that made it. */
  readonly byState: boolean;
  /** Number of the rule in the main rule set; undefined: none decided. */
  readonly rule: number | undefined;
  /** The rule is an anchor, in which a rule has decided. */
  readonly inAnchor: boolean;
}

const BLOCKED = 1;
const BY_STATE = 2;
const IN_ANCHOR = 4;
const RULE_SHIFT = 3;

export function filterText(detail: number): string {
  const verdict = (detail & BLOCKED) === 0 ? 'passed' : 'blocked';
  const rule = detail >>> RULE_SHIFT;
  if (rule === 0) return (detail & BY_STATE) === 0 ? `${verdict}: no rule decides` : `${verdict} by a state`;
  const place = (detail & IN_ANCHOR) === 0 ? `rule ${rule - 1}` : `a rule in the anchor of rule ${rule - 1}`;
  return (detail & BY_STATE) === 0 ? `${verdict} by ${place}` : `${verdict} by a state of ${place}`;
}

const PATTERN =
  /^(passed|blocked)(?:: no rule decides| by (a state)(?: of)?)?(?:(?: by)? (?:rule|(a rule in the anchor) of rule) (\d+))?$/;

/** What a text of `filterText` says; undefined for other texts. */
export function readFilterText(text: string): FilterDecision | undefined {
  const match = PATTERN.exec(text);
  if (match === null) return undefined;
  const [, verdict, state, anchor, rule] = match;
  return {
    pass: verdict === 'passed',
    byState: state !== undefined,
    rule: rule === undefined ? undefined : Number(rule),
    inAnchor: anchor !== undefined,
  };
}
