/** What may not stand together in one rule (pf.conf(5)); each problem in one sentence. */
import { ICMP, ICMPV6, TCP, UDP } from './protocols.ts';
import type { PfGeneration, PfRule } from './ruleset.ts';

type Check = readonly [wrong: boolean, message: string];

/** Which checks a rule has to stand: those of filter and scrub rules, of rdr, or none. */
export type CheckKind = 'filter' | 'rdr' | 'none';

/** @param icmpProtocol protocol that an `icmp-type` or `icmp6-type` of the rule belongs to. */
export function checkRule(
  rule: PfRule,
  kind: CheckKind,
  icmpProtocol: number | undefined,
  generation: PfGeneration,
): readonly string[] {
  const checks = kind === 'rdr' ? rdrChecks(rule) : kind === 'filter' ? filterChecks(rule, generation) : [];
  const mismatch: Check = [
    icmpProtocol !== undefined && rule.protocol !== icmpProtocol,
    'icmp-type mismatch',
  ];
  return [mismatch, ...checks].filter(([wrong]) => wrong).map(([, message]) => message);
}

function hasPorts(rule: PfRule): boolean {
  return rule.protocol === TCP || rule.protocol === UDP;
}

function filterChecks(rule: PfRule, generation: PfGeneration): Check[] {
  const { af, protocol, icmp, stateOptions } = rule;
  const ports = rule.source.port !== undefined || rule.destination.port !== undefined;
  const state = rule.state !== undefined && rule.state !== 'no';
  const limited = stateOptions?.maxSrcConn !== undefined || stateOptions?.maxSrcConnRate !== undefined;
  return [
    [ports && !hasPorts(rule), 'port only applies to tcp/udp'],
    [icmp !== undefined && protocol !== ICMP && protocol !== ICMPV6, 'icmp-type/code only applies to icmp'],
    [icmp !== undefined && af === undefined, 'must indicate address family with icmp-type/code'],
    [
      stateOptions?.overload !== undefined && !limited,
      "'overload' requires 'max-src-conn' or 'max-src-conn-rate'",
    ],
    [protocol === ICMP && af === 'inet6', "proto icmp doesn't match address family inet6"],
    [protocol === ICMPV6 && af === 'inet', "proto icmp6 doesn't match address family inet"],
    [rule.allowOpts === true && rule.action !== 'pass', 'allow-opts can only be specified for pass rules'],
    [
      rule.fragment === true && (ports || rule.flags !== undefined || icmp !== undefined),
      'fragments can be filtered only on IP header fields',
    ],
    [rule.return?.kind === 'return-rst' && protocol !== TCP, 'return-rst can only be applied to TCP rules'],
    [rule.action === 'block' && state, "keep state on block rules doesn't make sense"],
    [
      generation === '3.7' && rule.action === 'pass' && !state && (rule.tag ?? rule.tagged) !== undefined,
      'tags cannot be used without keep state',
    ],
  ];
}

function rdrChecks(rule: PfRule): Check[] {
  const without = !hasPorts(rule);
  const { op } = rule.destination.port ?? {};
  return [
    [without && rule.source.port !== undefined, 'src port only applies to tcp/udp'],
    [without && op !== undefined, 'dst port only applies to tcp/udp'],
    [
      without && rule.pool?.port !== undefined && rule.pool.port.a !== 0,
      'rpool port only applies to tcp/udp',
    ],
    [op !== undefined && op !== '=' && op !== ':', 'invalid port operator for rdr destination port'],
  ];
}
