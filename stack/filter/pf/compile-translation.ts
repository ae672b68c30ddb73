/** Translation rules with their names looked up: nat, rdr and binat (pf.conf(5), TRANSLATION). */
import { limited, logOf, taggedOf } from './compile-parts.ts';
import type { RuleParts } from './compile-parts.ts';
import { refuse } from './errors.ts';
import { NO_LISTS } from './expand.ts';
import type { Lists } from './expand.ts';
import type { ResolvedHost } from './host.ts';
import type { Place } from './lexer.ts';
import { NAT_PORT_HIGH, NAT_PORT_LOW, ofFamily, poolType } from './pool.ts';
import type { PfFamily, PfPool } from './ruleset.ts';
import type { PoolPortSyntax, TranslationRuleSyntax } from './syntax.ts';

const STATIC_PORT_ELSEWHERE = "the 'static-port' option is only valid with nat rules";

export class TranslationCompiler {
  readonly #parts: RuleParts;

  constructor(parts: RuleParts) {
    this.#parts = parts;
  }

  translation(rule: TranslationRuleSyntax): Lists {
    const ends = this.#parts.ends(rule.fromTo);
    const written = rule.af ?? firstFamily(ends.sources) ?? firstFamily(ends.destinations);
    const target = rule.no ? this.#noTarget(rule, written) : this.#target(rule, written, ends);
    const binding = rule.binding ?? this.#parts.context.statePolicy;
    return {
      ...NO_LISTS,
      place: rule,
      check: rule.kind === 'rdr' ? 'rdr' : 'none',
      interfaces: rule.interfaces,
      protocols: rule.protocols.map((word) => this.#parts.numbers.protocol(word)),
      ...ends,
      template: {
        action: rule.kind,
        ...(rule.no && { no: true }),
        ...(rule.pass && { translationPass: true }),
        ...logOf(rule.log),
        ...(target.af && { af: target.af }),
        ...(rule.tag?.text && { tag: limited(rule.tag, 'tag') }),
        ...(rule.tagged && { tagged: taggedOf(rule.tagged) }),
        ...(rule.rtable !== undefined && { rtable: rule.rtable }),
        ...(target.pool && { pool: target.pool }),
        ...(binding !== undefined && binding !== 'floating' && { stateOptions: { binding } }),
      },
    };
  }

  #noTarget(
    rule: TranslationRuleSyntax,
    af: PfFamily | undefined,
  ): { af: PfFamily | undefined; pool?: undefined } {
    if (rule.redirect) refuse(rule.redirect, "translation rule with 'no' does not need '->'");
    if (rule.options.staticPort) refuse(rule.options.staticPort, STATIC_PORT_ELSEWHERE);
    return { af };
  }

  #target(
    rule: TranslationRuleSyntax,
    given: PfFamily | undefined,
    ends: Pick<Lists, 'destinationPorts'>,
  ): { af: PfFamily | undefined; pool: PfPool } {
    const { redirect, options } = rule;
    if (!redirect) return refuse(rule, "translation rule requires '-> address'");
    const { hosts, af } = ofFamily(this.#parts.hosts.resolveAll(redirect.hosts), given);
    checkTargets(hosts, redirect);
    const type = poolType(hosts, options, 'redirection', redirect);
    if (options.staticPort && rule.kind !== 'nat') {
      refuse(options.staticPort, STATIC_PORT_ELSEWHERE);
    }
    const port = redirect.port && this.#poolPort(redirect.port, rule.kind, ends.destinationPorts);
    if (options.staticPort && port && port.a !== NAT_PORT_LOW && (port.b ?? port.a) !== NAT_PORT_HIGH) {
      refuse(options.staticPort, "the 'static-port' option can't be used when specifying a port range");
    }
    const pool = this.#parts.pool(hosts, type, rule, af);
    if (options.staticPort) return { af, pool: { ...pool, staticPort: true } };
    return { af, pool: { ...pool, ...(port && { port }) } };
  }

  #poolPort(
    { a, b, open }: PoolPortSyntax,
    kind: TranslationRuleSyntax['kind'],
    ports: Lists['destinationPorts'],
  ): PfPool['port'] {
    const first = this.#parts.numbers.port(a);
    if (kind === 'nat' && open) refuse(a, "a port range 'p:*' is only valid with rdr rules");
    if (open) {
      const [range] = ports;
      const length = range?.b === undefined ? 0 : range.b - range.a;
      return { a: first, ...(length > 0 && { b: first + length }), open: true };
    }
    const last = b && this.#parts.numbers.port(b);
    return { a: first, ...(last !== undefined && last !== first && { b: last }) };
  }

  /** binat: one rule, of one source, one destination and one target of the same size. */
  binat(rule: TranslationRuleSyntax): Lists {
    const { redirect } = rule;
    const [source, ...moreSources] = this.#parts.hosts.resolveAll(rule.fromTo.source.hosts);
    const [destination, ...moreDestinations] = this.#parts.hosts.resolveAll(rule.fromTo.destination.hosts);
    const targets = redirect ? this.#parts.hosts.resolveAll(redirect.hosts) : [];
    const af = rule.af ?? source?.af ?? destination?.af ?? targets[0]?.af;
    if (!af) return refuse(rule, 'address family (inet/inet6) undefined');
    if (source) checkBinatHost(source, 'source', rule);
    for (const target of targets) checkBinatHost(target, 'redirect', rule);
    if (moreSources.length > 0 || moreDestinations.length > 0) refuse(rule, 'multiple binat ip addresses');
    const wrong = (host: ResolvedHost | undefined): boolean => host?.af !== undefined && host.af !== af;
    if (wrong(source) || wrong(destination)) refuse(rule, 'binat ip versions must match');
    const pool = this.#binatPool(rule, targets, source, af);
    return {
      ...NO_LISTS,
      place: rule,
      check: 'none',
      interfaces: rule.interfaces,
      protocols: rule.protocols.map((word) => this.#parts.numbers.protocol(word)),
      sources: source ? [{ ...source, af }] : [],
      destinations: destination ? [destination] : [],
      template: {
        action: 'binat',
        ...(rule.no && { no: true }),
        ...(rule.pass && { translationPass: true }),
        ...logOf(rule.log),
        af,
        ...(rule.tag?.text && { tag: limited(rule.tag, 'tag') }),
        ...(rule.tagged && { tagged: taggedOf(rule.tagged) }),
        ...(rule.rtable !== undefined && { rtable: rule.rtable }),
        ...(pool && { pool }),
      },
    };
  }

  #binatPool(
    rule: TranslationRuleSyntax,
    targets: readonly ResolvedHost[],
    source: ResolvedHost | undefined,
    af: PfFamily,
  ): PfPool | undefined {
    if (rule.no && rule.redirect) refuse(rule.redirect, "'no binat' rule does not need '->'");
    if (rule.no) return undefined;
    if (!rule.redirect) return refuse(rule, "'binat' rule requires '-> address'");
    const { hosts } = ofFamily(targets, af);
    checkTargets(hosts, rule.redirect);
    const [target, ...more] = hosts;
    if (!target || more.length > 0)
      return refuse(rule.redirect, 'binat rule must redirect to a single address');
    if (source && prefixOf(source, af) !== prefixOf(target, af)) {
      refuse(rule.redirect, "'binat' source mask and redirect mask must be the same");
    }
    return this.#parts.pool([target], undefined, rule, af);
  }
}

function firstFamily(hosts: readonly ResolvedHost[]): PfFamily | undefined {
  const [first] = hosts;
  return first?.zone === undefined ? first?.af : undefined;
}

/** Targets of which none is left, or that are of both families. */
function checkTargets(hosts: readonly ResolvedHost[], place: Place): void {
  if (hosts.length === 0) refuse(place, 'no translation address with matching address family found.');
}

function checkBinatHost(host: ResolvedHost, what: 'source' | 'redirect', place: Place): void {
  const { address } = host;
  if (address.kind === 'table') {
    refuse(place, `invalid use of table <${address.name}> as the ${what} address of a binat rule`);
  }
  if (address.kind === 'dynamic' && !address.modifiers.includes('0')) {
    refuse(place, `invalid use of interface (${address.interface}) as the ${what} address of a binat rule`);
  }
}

function prefixOf({ address }: ResolvedHost, af: PfFamily): number {
  const whole = af === 'inet' ? 32 : 128;
  if (address.kind === 'any') return 0;
  return 'length' in address ? Math.min(address.length ?? whole, whole) : whole;
}
