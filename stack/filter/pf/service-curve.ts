/**
 * Sums of service curves, for the admission control of hfsc: the curves of children may not add up to more than their parent's, real-time curves not to more than
 * 80 % of the interface (altq(9), hfsc).
 */

import type { PfCurve } from './ruleset.ts';

export const NO_CURVE: PfCurve = { m1: 0, d: 0, m2: 0 };

function isNull({ m1, m2 }: PfCurve): boolean {
  return m1 === 0 && m2 === 0;
}

/** What a curve has given after x ms. */
function amount({ m1, d, m2 }: PfCurve, x: number): number {
  return x <= d ? x * m1 : d * m1 + (x - d) * m2;
}

/** Whether curves together never give more than one. A curve of nothing allows nothing. */
export function fitsUnder(curves: readonly PfCurve[], limit: PfCurve): boolean {
  const real = curves.filter((curve) => !isNull(curve));
  if (isNull(limit)) return real.length === 0;
  // Sums of such curves bend only where one of them does.
  const bends = new Set([...real.map(({ d }) => d), limit.d]);
  const sum = (x: number): number => real.reduce((total, curve) => total + amount(curve, x), 0);
  for (const x of bends) if (sum(x) > amount(limit, x)) return false;
  return real.reduce((total, { m2 }) => total + m2, 0) <= limit.m2;
}
