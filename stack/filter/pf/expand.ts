/**
 * Rules out of statements: every list is multiplied out, innermost last, and what each combination says is checked (pf.conf(5), MACROS and lists). Combinations
 * of different families are left out; if nothing is left, the statement is wrong.
 */
import { checkRule } from './check.ts';
import type { CheckKind } from './check.ts';
import type { PfEnvironment } from './environment.ts';
import type { ErrorList } from './errors.ts';
import { refuse } from './errors.ts';
import { ANY_HOST } from './host.ts';
import type { ResolvedHost } from './host.ts';
import { expandLabel } from './label.ts';
import type { Place } from './lexer.ts';
import { TCP } from './protocols.ts';
import type { PfAddress, PfFamily, PfGeneration, PfHost, PfOperator, PfRule } from './ruleset.ts';
import type { InterfaceSyntax } from './syntax.ts';

/** Rules that one file may become at most: beyond them lists were not meant. */
export const RULES_MAX = 100_000;
export const LABEL_MAX = 63;

/** A statement with its lists; the rest of the rule is the same in all combinations. */
export interface Lists {
  readonly place: Place;
  readonly check: CheckKind;
  readonly template: Omit<PfRule, 'line' | 'source' | 'destination'>;
  readonly interfaces: readonly InterfaceSyntax[];
  readonly protocols: readonly number[];
  readonly icmp: readonly { readonly type: number; readonly code?: number }[];
  /** Protocol that `icmp-type` or `icmp6-type` belongs to. */
  readonly icmpProtocol?: number;
  readonly sources: readonly ResolvedHost[];
  readonly sourcePorts: readonly PfOperator[];
  readonly os: readonly string[];
  readonly destinations: readonly ResolvedHost[];
  readonly destinationPorts: readonly PfOperator[];
  readonly users: readonly PfOperator[];
  readonly groups: readonly PfOperator[];
}

export const NO_LISTS = {
  interfaces: [],
  protocols: [],
  icmp: [],
  sources: [],
  sourcePorts: [],
  os: [],
  destinations: [],
  destinationPorts: [],
  users: [],
  groups: [],
} as const;

interface Combination {
  readonly interface: InterfaceSyntax | undefined;
  readonly protocol: number | undefined;
  readonly icmp: { readonly type: number; readonly code?: number } | undefined;
  readonly source: ResolvedHost;
  readonly sourcePort: PfOperator | undefined;
  readonly os: string | undefined;
  readonly destination: ResolvedHost;
  readonly destinationPort: PfOperator | undefined;
  readonly user: PfOperator | undefined;
  readonly group: PfOperator | undefined;
}

/** An empty list stands for one thing that is not said. */
function orNothing<T>(list: readonly T[]): readonly (T | undefined)[] {
  return list.length > 0 ? list : [undefined];
}

function count(lists: Lists): number {
  const all = [
    lists.interfaces,
    lists.protocols,
    lists.icmp,
    lists.sources,
    lists.sourcePorts,
    lists.os,
    lists.destinations,
    lists.destinationPorts,
    lists.users,
    lists.groups,
  ];
  return all.reduce((product, list) => product * Math.max(1, list.length), 1);
}

function* combinations(lists: Lists): Generator<Combination> {
  const ports = orNothing(lists.destinationPorts);
  const ids = orNothing(lists.users).flatMap((user) =>
    orNothing(lists.groups).map((group) => ({ user, group })),
  );
  for (const item of orNothing(lists.interfaces))
    for (const protocol of orNothing(lists.protocols))
      for (const icmp of orNothing(lists.icmp))
        for (const source of lists.sources.length > 0 ? lists.sources : [ANY_HOST])
          for (const sourcePort of orNothing(lists.sourcePorts))
            for (const os of orNothing(lists.os))
              for (const destination of lists.destinations.length > 0 ? lists.destinations : [ANY_HOST])
                for (const destinationPort of ports)
                  for (const id of ids)
                    yield {
                      interface: item,
                      protocol,
                      icmp,
                      source,
                      sourcePort,
                      os,
                      destination,
                      destinationPort,
                      ...id,
                    };
}

export class Expander {
  readonly #environment: PfEnvironment;
  readonly #generation: PfGeneration;
  readonly #errors: ErrorList;
  #rules = 0;

  constructor(environment: PfEnvironment, generation: PfGeneration, errors: ErrorList) {
    this.#environment = environment;
    this.#generation = generation;
    this.#errors = errors;
  }

  /** All rules of a statement; `number` gives each the number that `$nr` stands for. Leaves the statement if there are none. */
  expand(lists: Lists, number: () => number): PfRule[] {
    const { place } = lists;
    if (this.#rules + count(lists) > RULES_MAX) {
      refuse(place, `rule expands to ${count(lists)} combinations; a rule set may have ${RULES_MAX}`);
    }
    const rules: PfRule[] = [];
    for (const combination of combinations(lists)) {
      const af = this.#family(lists.template.af, combination);
      if (af === 'none') continue;
      const rule = this.#rule(lists, combination, af);
      const problems = checkRule(rule, lists.check, lists.icmpProtocol, this.#generation);
      for (const problem of problems) this.#errors.report(place, problem);
      if (problems.length === 0) rules.push(this.#named(rule, combination, place, number()));
    }
    if (rules.length === 0) refuse(place, 'rule expands to no valid combination');
    this.#rules += rules.length;
    return rules;
  }

  /** The family that a combination is of; 'none' if its parts contradict each other. */
  #family(given: PfFamily | undefined, combination: Combination): PfFamily | undefined | 'none' {
    const { source, destination } = combination;
    const families = new Set([given, source.af, destination.af].filter((af) => af !== undefined));
    const zones = new Set([source.zone, destination.zone].filter((zone) => zone !== undefined));
    const name = combination.interface?.name.text;
    if (name !== undefined && zones.size > 0) zones.add(name);
    if (families.size > 1 || zones.size > 1) return 'none';
    return [...families][0];
  }

  #rule(lists: Lists, combination: Combination, af: PfFamily | undefined): PfRule {
    const { template, place } = lists;
    const { protocol, icmp, os, user, group } = combination;
    const onlyTcp = protocol === undefined || protocol === TCP;
    const { flags, state, ...rest } = template;
    return {
      line: place.line,
      ...rest,
      ...interfaceOf(combination),
      ...(af && { af }),
      ...(protocol !== undefined && { protocol }),
      source: end(combination.source, combination.sourcePort, af),
      destination: end(combination.destination, combination.destinationPort, af),
      ...(os !== undefined && this.#os(os)),
      ...(user && { user }),
      ...(group && { group }),
      ...(flags && onlyTcp && { flags }),
      ...(icmp && { icmp }),
      // Only TCP has sequence numbers to modulate and handshakes to take over.
      ...(state && { state: onlyTcp || state === 'no' ? state : 'keep' }),
    };
  }

  #os(name: string): { os?: string } {
    if (name === 'any') return {};
    if (name === 'unknown' || !this.#environment.fingerprint) return { os: name };
    return { os: this.#environment.fingerprint(name) ?? 'nomatch' };
  }

  /** The rule with its number, and with the macros of its label and tags replaced. */
  #named(rule: PfRule, combination: Combination, place: Place, number: number): PfRule {
    const numbered = { ...rule, number };
    if (!rule.label?.includes('$') && !rule.tag?.includes('$') && !rule.tagged?.name.includes('$'))
      return numbered;
    const replace = (text: string): string => {
      const replaced = expandLabel(
        text,
        {
          ...(rule.interface && { interface: rule.interface.name }),
          ...(rule.af && { af: rule.af }),
          ...(rule.protocol !== undefined && { protocol: rule.protocol }),
          source: combination.source,
          ...(combination.sourcePort && { sourcePort: combination.sourcePort }),
          destination: combination.destination,
          ...(combination.destinationPort && { destinationPort: combination.destinationPort }),
          number,
        },
        this.#environment,
      );
      if (replaced.length > LABEL_MAX)
        refuse(place, `label too long with its macros replaced, max ${LABEL_MAX} chars`);
      return replaced;
    };
    const label = rule.label === undefined ? '' : replace(rule.label);
    const { label: _written, ...unlabelled } = numbered;
    return {
      ...unlabelled,
      // A macro may leave nothing, `$dstport` for a rule of any port.
      ...(label !== '' && { label }),
      ...(rule.tag !== undefined && { tag: replace(rule.tag) }),
      ...(rule.tagged && { tagged: { ...rule.tagged, name: replace(rule.tagged.name) } }),
    };
  }
}

/** The interface that is written, or that a link-local address belongs to. */
function interfaceOf(combination: Combination): Pick<PfRule, 'interface'> {
  const written = combination.interface;
  const zone = combination.source.zone ?? combination.destination.zone;
  if (!written) return zone === undefined ? {} : { interface: { name: zone } };
  return { interface: { name: written.name.text, ...(written.not && { not: true }) } };
}

function end(host: ResolvedHost, port: PfOperator | undefined, af: PfFamily | undefined): PfHost {
  return {
    address: fitFamily(host.address, af),
    ...(host.not && { not: true }),
    ...(port && { port }),
  };
}

/** A prefix of `(if)/n` that is too long for IPv4 says nothing there. */
export function fitFamily(address: PfAddress, af: PfFamily | undefined): PfAddress {
  if (address.kind !== 'dynamic' || af !== 'inet' || (address.length ?? 0) < 32) return address;
  return { kind: address.kind, interface: address.interface, modifiers: address.modifiers };
}
