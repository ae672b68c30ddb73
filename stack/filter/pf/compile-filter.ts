/** Filter and scrub rules, anchors and antispoof with their names looked up: what each says, as lists that are yet to be multiplied out. */
import { limited, logOf, taggedOf } from './compile-parts.ts';
import type { RuleParts } from './compile-parts.ts';
import { refuse } from './errors.ts';
import { NO_LISTS } from './expand.ts';
import type { Lists } from './expand.ts';
import type { ResolvedHost } from './host.ts';
import type { Place } from './lexer.ts';
import { ICMP6_DST_UNREACH, ICMP_UNREACH } from './names.ts';
import { QUEUE_NAME_MAX } from './parse-queue.ts';
import { ofFamily, poolType } from './pool.ts';
import type { PoolHost } from './pool.ts';
import { ICMP, ICMPV6, TCP } from './protocols.ts';
import type { PfFamily, PfReturn, PfRule } from './ruleset.ts';
import { compileStateOptions } from './state-options.ts';
import type {
  AnchorRuleSyntax,
  AntispoofSyntax,
  FilterOptionsSyntax,
  FilterRuleSyntax,
  FromToSyntax,
  ReturnSyntax,
  RouteSyntax,
  ScrubRuleSyntax,
} from './syntax.ts';

/** `flags S/SA`: of SYN and ACK, SYN alone. */
const SYN = 2;
const SYN_ACK = 2 | 16;
const PORT_UNREACHABLE = ICMP_UNREACH * 256 + 3;
const PORT_UNREACHABLE6 = ICMP6_DST_UNREACH * 256 + 4;

type Template = Lists['template'];

export class FilterCompiler {
  readonly #parts: RuleParts;

  constructor(parts: RuleParts) {
    this.#parts = parts;
  }

  filter(rule: FilterRuleSyntax): Lists {
    const { options } = rule;
    const match = this.#match(rule, options);
    const route = rule.route && this.#route(rule.route, rule.direction, match.template.af);
    const state = this.#state(rule, options);
    const af = route ? route.af : match.template.af;
    const template: Template = {
      action: rule.action,
      ...(rule.return && { return: this.#return(rule.return) }),
      ...(rule.direction && { direction: rule.direction }),
      ...logOf(rule.log),
      ...(rule.quick && { quick: true }),
      ...(af && { af }),
      ...(route && { route: route.route }),
      ...this.#filterOptions(options),
      ...(state && { state }),
      ...this.#flags(rule, options, state),
      ...(options.state && this.#stateOptions(options)),
      ...(!options.state && state && this.#defaultBinding()),
    };
    return { ...match, template };
  }

  /** Parts that filter rules and anchors have in common. */
  #match(
    rule: { fromTo: FromToSyntax; af?: PfFamily } & Pick<FilterRuleSyntax, 'interfaces' | 'protocols'> &
      Place,
    options: FilterOptionsSyntax,
  ): Lists {
    const ends = this.#parts.ends(rule.fromTo);
    const af = rule.af ?? this.#parts.common(ends.sources) ?? this.#parts.common(ends.destinations);
    const { icmp } = options;
    return {
      place: rule,
      check: 'filter',
      template: { action: 'pass', ...(af && { af }) },
      interfaces: rule.interfaces,
      protocols: rule.protocols.map((word) => this.#parts.numbers.protocol(word)),
      icmp: icmp ? icmp.list.map((item) => this.#parts.numbers.icmp(icmp.af, item)) : [],
      ...(icmp && { icmpProtocol: icmp.af === 'inet' ? ICMP : ICMPV6 }),
      ...ends,
      users: this.#parts.numbers.users(options.users),
      groups: this.#parts.numbers.groups(options.groups),
    };
  }

  #return(answer: ReturnSyntax): PfReturn {
    if (answer.kind === 'policy') return { kind: this.#parts.context.blockPolicy };
    if (answer.kind !== 'return-icmp') return answer;
    const { icmp, icmp6 } = answer;
    return {
      kind: answer.kind,
      icmp: icmp ? this.#parts.numbers.returnCode('inet', ICMP_UNREACH, icmp) : PORT_UNREACHABLE,
      icmp6: icmp6 ? this.#parts.numbers.returnCode('inet6', ICMP6_DST_UNREACH, icmp6) : PORT_UNREACHABLE6,
    };
  }

  #filterOptions(options: FilterOptionsSyntax): Partial<Template> {
    const { queue, tagged } = options;
    return {
      ...(options.tos !== undefined && { tos: options.tos }),
      ...(options.fragment && { fragment: true }),
      ...(options.allowOpts && { allowOpts: true }),
      ...(options.label?.text && { label: limited(options.label, 'rule label') }),
      ...(queue && {
        queue: {
          name: limited(queue.name, 'rule qname', QUEUE_NAME_MAX),
          ...(queue.priority && { priority: limited(queue.priority, 'rule pqname', QUEUE_NAME_MAX) }),
        },
      }),
      ...(options.tag?.text && { tag: limited(options.tag, 'tag') }),
      ...(tagged && { tagged: taggedOf(tagged) }),
      ...(options.probability !== undefined && { probability: options.probability }),
      ...(options.rtable !== undefined && { rtable: options.rtable }),
    };
  }

  /** In 4.2 a pass rule keeps state unless it says otherwise. */
  #state(rule: FilterRuleSyntax, options: FilterOptionsSyntax): PfRule['state'] {
    if (options.state)
      return rule.action === 'block' && options.state.kind === 'no' ? undefined : options.state.kind;
    return this.#parts.generation === '4.2' && rule.action === 'pass' ? 'keep' : undefined;
  }

  #stateOptions(options: FilterOptionsSyntax): Partial<Template> {
    if (!options.state) return {};
    const stateOptions = compileStateOptions(
      options.state,
      this.#parts.generation,
      this.#parts.context.statePolicy,
    );
    return stateOptions ? { stateOptions } : {};
  }

  #defaultBinding(): Partial<Template> {
    const binding = this.#parts.context.statePolicy;
    return binding === undefined || binding === 'floating' ? {} : { stateOptions: { binding } };
  }

  #flags(rule: FilterRuleSyntax, options: FilterOptionsSyntax, state: PfRule['state']): Partial<Template> {
    const { flags } = options;
    const given = flags !== undefined && (flags.set !== 0 || flags.of !== 0);
    this.#checkTcp(rule, given);
    if (given) return { flags: { set: flags.set, of: flags.of } };
    const implied =
      this.#parts.generation === '4.2' &&
      rule.action === 'pass' &&
      flags === undefined &&
      !options.fragment &&
      state !== undefined &&
      state !== 'no';
    return implied ? { flags: { set: SYN, of: SYN_ACK } } : {};
  }

  /** Flags and fingerprints are of TCP: a list of protocols without it is wrong. */
  #checkTcp(rule: FilterRuleSyntax, flags: boolean): void {
    if (rule.protocols.length === 0) return;
    if (rule.protocols.some((word) => this.#parts.numbers.protocol(word) === TCP)) return;
    if (flags) refuse(rule, 'flags only apply to tcp');
    if (rule.fromTo.os.length > 0) refuse(rule, 'OS fingerprinting only apply to tcp');
  }

  #route(
    route: RouteSyntax,
    direction: 'in' | 'out' | undefined,
    given: PfFamily | undefined,
  ): { route: NonNullable<PfRule['route']>; af: PfFamily | undefined } {
    if (!direction) refuse(route, 'direction must be explicit with rules that specify routing');
    if (route.kind === 'fastroute') return { route: { kind: route.kind }, af: given };
    const all = route.hosts.flatMap((hop) => this.#nextHops(hop));
    if (new Set(all.map(({ af }) => af).filter(Boolean)).size > 1 && route.hosts.length > 1) {
      refuse(route, 'all pool addresses must be in the same address family');
    }
    const { hosts, af } = ofFamily(all, given ?? this.#parts.common(all));
    if (hosts.length === 0) refuse(route, 'no routing address with matching address family found.');
    const type = poolType(hosts, route.options, 'routing', route);
    return { route: { kind: route.kind, pool: this.#parts.pool(hosts, type, route, af) }, af };
  }

  #nextHops(hop: RouteSyntax['hosts'][number]): PoolHost[] {
    const name = hop.interface.text;
    if (!hop.host) return [{ address: { kind: 'any' }, interface: name }];
    return this.#parts.hosts.resolve(hop.host).map((host) => ({ ...host, interface: name }));
  }

  scrub(rule: ScrubRuleSyntax): Lists {
    const { options } = rule;
    return {
      ...NO_LISTS,
      place: rule,
      check: 'filter',
      interfaces: rule.interfaces,
      protocols: rule.protocols.map((word) => this.#parts.numbers.protocol(word)),
      ...this.#parts.ends(rule.fromTo),
      template: {
        action: 'scrub',
        ...(rule.no && { no: true }),
        ...(rule.direction && { direction: rule.direction }),
        ...logOf(rule.log),
        ...(rule.af && { af: rule.af }),
        ...(options.rtable !== undefined && { rtable: options.rtable }),
        scrub: {
          ...(options.noDf && { noDf: true }),
          ...(options.randomId && { randomId: true }),
          ...(options.minTtl && { minTtl: options.minTtl }),
          ...(options.maxMss && { maxMss: options.maxMss }),
          ...(options.reassembleTcp && { reassembleTcp: true }),
          fragment: options.fragment ?? 'reassemble',
        },
      },
    };
  }

  anchor(rule: AnchorRuleSyntax, name: string): Lists {
    if (rule.part !== 'filter') checkTranslationAnchor(rule);
    const { options } = rule;
    const match = this.#match(rule, { users: [], groups: [] });
    return {
      ...match,
      check: rule.part === 'filter' ? 'filter' : rule.part === 'rdr' ? 'rdr' : 'none',
      template: {
        ...match.template,
        action: 'anchor',
        anchor: name,
        ...(rule.body && { inline: true }),
        ...(rule.direction && { direction: rule.direction }),
        ...(rule.quick && { quick: true }),
        ...(options.probability !== undefined && { probability: options.probability }),
        ...(options.tagged && { tagged: taggedOf(options.tagged) }),
        ...(options.rtable !== undefined && { rtable: options.rtable }),
      },
    };
  }

  /** Rules against packets that come in on other interfaces with addresses of this one. */
  antispoof(rule: AntispoofSyntax): Lists[] {
    return rule.interfaces.flatMap((item) =>
      this.#antispoofInterface(rule, item.name.text, item.dynamic === true),
    );
  }

  #antispoofInterface(rule: AntispoofSyntax, name: string, dynamic: boolean): Lists[] {
    const log = logOf(rule.log);
    const template: Template = {
      action: 'block',
      return: { kind: 'drop' },
      direction: 'in',
      ...log,
      ...(rule.quick && { quick: true }),
      ...(rule.af && { af: rule.af }),
      ...(rule.label?.text && { label: limited(rule.label, 'rule label') }),
      ...(rule.rtable !== undefined && { rtable: rule.rtable }),
    };
    const base = { ...NO_LISTS, place: rule, check: 'filter', template } as const;
    const networks = dynamic
      ? dynamicHost(name, ['network'])
      : this.#parts.hosts.ofInterface(name, ['network']);
    const lists: Lists[] = [];
    const elsewhere = [{ name: { text: name, line: rule.line, column: rule.column }, not: true }] as const;
    if (networks.length > 0) lists.push({ ...base, interfaces: elsewhere, sources: networks });
    if (this.#parts.hosts.interfaceNamed(name)?.loopback) return lists;
    const own = dynamic ? dynamicHost(name, []) : this.#parts.hosts.ofInterface(name, []);
    if (own.length > 0) lists.push({ ...base, sources: own });
    return lists;
  }
}

function dynamicHost(name: string, modifiers: readonly 'network'[]): ResolvedHost[] {
  return [{ address: { kind: 'dynamic', interface: name, modifiers } }];
}

function checkTranslationAnchor(rule: AnchorRuleSyntax): void {
  const { source, destination } = rule.fromTo;
  if (rule.part === 'rdr') {
    if (source.ports.length > 0) refuse(rule, 'source port parameter not supported in rdr-anchor');
    if (destination.ports.length > 1) {
      refuse(rule, 'destination port list expansion not supported in rdr-anchor');
    }
    if (destination.ports.some(({ op }) => op !== '=')) {
      refuse(rule, 'destination port operators not supported in rdr-anchor');
    }
  }
  if (rule.part !== 'binat') return;
  if (rule.protocols.length > 1) refuse(rule, 'proto list expansion not supported in binat-anchor');
  const ends = [source, destination];
  if (ends.some(({ hosts, ports }) => hosts.length > 0 || ports.length > 0)) {
    refuse(rule, 'fromto parameter not supported in binat-anchor');
  }
}
