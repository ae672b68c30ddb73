/**
 * The counters of `pfctl -s info`: why packets were dropped, and how often a limit was met.
 */
import { f64 } from '../../memory/memory.ts';
import { PF_LIMIT_COUNTERS, PF_REASONS } from '../../filter/pf/ioctl.ts';
import type { PfLimitCounter, PfReason } from '../../filter/pf/ioctl.ts';
import { pfStruct } from './records.ts';
import type { Pf } from './records.ts';

const REASONS = pfStruct.offsets.reasons >>> 3;
const LIMITS = pfStruct.offsets.limitCounters >>> 3;

/** Numbers of reasons, as a pflog header has them. */
export const REASON = Object.fromEntries(PF_REASONS.map((name, i) => [name, i])) as Record<PfReason, number>;

export function countReason(pf: Pf, reason: number): void {
  f64[(pf.ptr >>> 3) + REASONS + reason]!++;
}

export function countLimit(pf: Pf, which: PfLimitCounter): void {
  f64[(pf.ptr >>> 3) + LIMITS + PF_LIMIT_COUNTERS.indexOf(which)]!++;
}

export function reasonCounts(pf: Pf): Record<PfReason, number> {
  return Object.fromEntries(
    PF_REASONS.map((name, i) => [name, f64[(pf.ptr >>> 3) + REASONS + i]!]),
  ) as Record<PfReason, number>;
}

export function limitCounts(pf: Pf): Record<PfLimitCounter, number> {
  return Object.fromEntries(
    PF_LIMIT_COUNTERS.map((name, i) => [name, f64[(pf.ptr >>> 3) + LIMITS + i]!]),
  ) as Record<PfLimitCounter, number>;
}

export function clearCounts(pf: Pf): void {
  const at = pf.ptr >>> 3;
  f64.fill(0, at + REASONS, at + REASONS + PF_REASONS.length);
  f64.fill(0, at + LIMITS, at + LIMITS + PF_LIMIT_COUNTERS.length);
  for (const field of [
    'search',
    'insert',
    'removals',
    'sourceSearch',
    'sourceInsert',
    'sourceRemovals',
  ] as const)
    pf[field] = 0;
}
