/** When one filter rule makes another needless, and in which respects two rules are the same: what the optimiser asks. */
import { addressBits, maskAddress, parseAddress } from './address.ts';
import type { PfHost, PfOperator, PfRule } from './ruleset.ts';

function keyOf(...parts: unknown[]): string {
  return JSON.stringify(parts);
}

/** What rules of one block must have in common: what they do with a packet. */
export function samenessKey(rule: PfRule): string {
  const { timeouts: _timeouts, ...limits } = rule.stateOptions ?? {};
  const answer = rule.return?.kind === 'return-icmp' ? rule.return.kind : rule.return;
  return keyOf(
    rule.action,
    rule.tag,
    rule.state,
    rule.queue,
    rule.route,
    rule.allowOpts,
    rule.fragment,
    answer,
    limits,
    rule.log,
    rule.logUser,
    rule.logInterface,
    rule.quick,
    rule.rtable,
  );
}

/** What rules match on apart from what one can have more of than another. */
function matchKey(rule: PfRule): string {
  const codes = rule.return?.kind === 'return-icmp' ? rule.return : undefined;
  return keyOf(
    rule.interface?.not,
    rule.tagged,
    rule.os,
    rule.stateOptions?.timeouts,
    codes,
    rule.user,
    rule.group,
    rule.icmp,
    rule.tos,
    rule.source.not,
    rule.destination.not,
  );
}

/** What two rules must have in common to become one with a table: all but their addresses. */
export function sharedKey(rule: PfRule): string {
  return keyOf(
    samenessKey(rule),
    matchKey(rule),
    rule.af,
    rule.interface?.name,
    rule.direction,
    rule.protocol,
    rule.flags,
    rule.source.port,
    rule.destination.port,
  );
}

export function sameAddress(a: PfHost, b: PfHost): boolean {
  return a.not === b.not && keyOf(a.address) === keyOf(b.address);
}

/** Whether every packet that `sub` matches is matched by `all`, which does the same with it. */
export function covers(all: PfRule, sub: PfRule): boolean {
  return (
    (all.interface === undefined
      ? sub.interface?.not === undefined
      : all.interface.name === sub.interface?.name) &&
    (all.direction === undefined || all.direction === sub.direction) &&
    (all.af === undefined || all.af === sub.af) &&
    (all.protocol === undefined || all.protocol === sub.protocol) &&
    coversFlags(all, sub) &&
    coversPort(all.source.port, sub.source.port) &&
    coversPort(all.destination.port, sub.destination.port) &&
    coversHost(all.source, sub.source) &&
    coversHost(all.destination, sub.destination) &&
    matchKey(all) === matchKey(sub)
  );
}

function coversFlags(all: PfRule, sub: PfRule): boolean {
  return all.flags === undefined || keyOf(all.flags) === keyOf(sub.flags);
}

function coversPort(all: PfOperator | undefined, sub: PfOperator | undefined): boolean {
  return all === undefined || keyOf(all) === keyOf(sub);
}

function coversHost(all: PfHost, sub: PfHost): boolean {
  if (all.address.kind === 'any' && !all.not && !sub.not) return true;
  if (sameAddress(all, sub)) return true;
  const [wide, narrow] = [all.address, sub.address];
  if (all.not || sub.not || wide.kind !== 'network' || narrow.kind !== 'network' || wide.af !== narrow.af)
    return false;
  if (wide.length >= narrow.length || narrow.length > addressBits(narrow.af)) return false;
  const bytes = parseAddress(narrow.af, narrow.address);
  return (
    bytes !== undefined &&
    keyOf(maskAddress(bytes, wide.length)) === keyOf(parseAddress(wide.af, wide.address))
  );
}
