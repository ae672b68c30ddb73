/**
 * Rules that can never decide: an earlier quick rule takes every packet that they match, or, because the last match wins, a later rule does. Found by comparing
 * criteria, so it is certain where it says so, and silent where it cannot know (tables, dynamic addresses).
 */
import { addressBits, maskAddress, parseAddress } from './address.ts';
import type { PfAddress, PfHost, PfOperator, PfRule } from './ruleset.ts';

const MOST = 65_535;
type Interval = readonly [number, number];

/** The numbers that meet a condition. */
function intervals(operator: PfOperator | undefined): readonly Interval[] {
  if (operator === undefined) return [[0, MOST]];
  const { op, a, b = a } = operator;
  switch (op) {
    case '=':
      return [[a, a]];
    case '!=':
      return [
        [0, a - 1],
        [a + 1, MOST],
      ];
    case '<':
      return [[0, a - 1]];
    case '<=':
      return [[0, a]];
    case '>':
      return [[a + 1, MOST]];
    case '>=':
      return [[a, MOST]];
    case ':':
      return [[a, b]];
    case '><':
      return [[a + 1, b - 1]];
    case '<>':
      return [
        [0, a - 1],
        [b + 1, MOST],
      ];
  }
}

/** Whether every number that meets `sub` meets `all`. */
function coversNumbers(all: PfOperator | undefined, sub: PfOperator | undefined): boolean {
  if (all === undefined) return true;
  // Without a condition also packets match that have no ports.
  if (sub === undefined) return false;
  return intervals(sub)
    .filter(([from, to]) => from <= to)
    .every(([from, to]) => intervals(all).some(([first, last]) => first <= from && to <= last));
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

function holds(wide: PfAddress, narrow: PfAddress): boolean {
  if (same(wide, narrow)) return true;
  if (wide.kind !== 'network' || narrow.kind !== 'network' || wide.af !== narrow.af) return false;
  if (wide.length > narrow.length || narrow.length > addressBits(narrow.af)) return false;
  const bytes = parseAddress(narrow.af, narrow.address);
  return bytes !== undefined && same(maskAddress(bytes, wide.length), parseAddress(wide.af, wide.address));
}

function coversHost(all: PfHost, sub: PfHost): boolean {
  if (!coversNumbers(all.port, sub.port)) return false;
  if (all.address.kind === 'any' && all.not !== true) return true;
  if (all.not === true || sub.not === true) return all.not === sub.not && same(all.address, sub.address);
  return holds(all.address, sub.address);
}

/** A criterion that `all` does not have, or has as `sub` has it. */
function coversGiven(all: unknown, sub: unknown): boolean {
  return all === undefined || same(all, sub);
}

/** Whether every packet that `sub` matches is one that `all` matches. */
export function matchesWherever(all: PfRule, sub: PfRule): boolean {
  return (
    all.probability === undefined &&
    coversGiven(all.interface, sub.interface) &&
    coversGiven(all.direction, sub.direction) &&
    coversGiven(all.af, sub.af) &&
    coversGiven(all.protocol, sub.protocol) &&
    coversHost(all.source, sub.source) &&
    coversHost(all.destination, sub.destination) &&
    coversGiven(all.flags, sub.flags) &&
    coversGiven(all.icmp, sub.icmp) &&
    coversGiven(all.tos, sub.tos) &&
    coversGiven(all.user, sub.user) &&
    coversGiven(all.group, sub.group) &&
    coversGiven(all.os, sub.os) &&
    coversGiven(all.tagged, sub.tagged) &&
    coversGiven(all.fragment, sub.fragment)
  );
}

/** Indexes of rules of a list of filter rules that can never decide, each with the index of the rule that does in their place. */
export function shadowedRules(rules: readonly PfRule[]): { readonly rule: number; readonly by: number }[] {
  const found: { rule: number; by: number }[] = [];
  rules.forEach((rule, index) => {
    if (rule.action === 'anchor') return;
    const decides = (other: PfRule): boolean => other.action !== 'anchor' && matchesWherever(other, rule);
    const earlier = rules.slice(0, index).findIndex((other) => other.quick === true && decides(other));
    // A rule that puts a tag on a packet does so though it does not decide.
    const overridden = rule.quick !== true && rule.tag === undefined;
    const later = overridden ? rules.findIndex((other, at) => at > index && decides(other)) : -1;
    const by = earlier >= 0 ? earlier : later;
    if (by >= 0) found.push({ rule: index, by });
  });
  return found;
}
