/** What compiling rules of all kinds has in common: hosts, ports and pools looked up, words of limited length. */
import type { PfEnvironment } from './environment.ts';
import { refuse } from './errors.ts';
import { LABEL_MAX } from './expand.ts';
import type { Lists } from './expand.ts';
import { commonFamily } from './host.ts';
import type { HostResolver, ResolvedHost } from './host.ts';
import type { Place } from './lexer.ts';
import { md5 } from './md5.ts';
import { NumberResolver } from './numbers.ts';
import { makePool } from './pool.ts';
import type { PoolHost } from './pool.ts';
import type { PfFamily, PfGeneration, PfPool, PfRule, PfStateOptions } from './ruleset.ts';
import type { FromToSyntax, LogSyntax, PoolOptionsSyntax, Word } from './syntax.ts';

/** What `set` statements before a rule say for it. */
export interface CompileContext {
  blockPolicy: 'drop' | 'return';
  statePolicy: PfStateOptions['binding'];
}

export class RuleParts {
  readonly context: CompileContext = { blockPolicy: 'drop', statePolicy: undefined };
  readonly generation: PfGeneration;
  readonly hosts: HostResolver;
  readonly numbers: NumberResolver;
  readonly #randomKey: (() => string) | undefined;

  /** @param randomKey makes 32 hexadecimal digits for source-hash without a key; default: by the place of the rule. */
  constructor(
    environment: PfEnvironment,
    generation: PfGeneration,
    hosts: HostResolver,
    randomKey?: () => string,
  ) {
    this.generation = generation;
    this.hosts = hosts;
    this.numbers = new NumberResolver(environment);
    this.#randomKey = randomKey;
  }

  common(hosts: readonly ResolvedHost[]): PfFamily | undefined {
    return commonFamily(hosts, this.generation);
  }

  ends(
    fromTo: FromToSyntax,
  ): Pick<Lists, 'sources' | 'sourcePorts' | 'os' | 'destinations' | 'destinationPorts'> {
    return {
      sources: this.hosts.resolveAll(fromTo.source.hosts),
      sourcePorts: this.numbers.ports(fromTo.source.ports),
      os: fromTo.os.map(({ text }) => text),
      destinations: this.hosts.resolveAll(fromTo.destination.hosts),
      destinationPorts: this.numbers.ports(fromTo.destination.ports),
    };
  }

  pool(
    hosts: readonly PoolHost[],
    type: PfPool['type'],
    from: Place & { readonly options: PoolOptionsSyntax },
    af: PfFamily | undefined,
  ): PfPool {
    const byPlace = (): string => md5(new TextEncoder().encode(`${from.line}:${from.column}`));
    return makePool(hosts, type, from.options, af, this.#randomKey ?? byPlace);
  }
}

export function logOf(log: LogSyntax | undefined): Pick<PfRule, 'log' | 'logUser' | 'logInterface'> {
  if (!log) return {};
  return {
    log: log.all ? 'all' : 'log',
    ...(log.user && { logUser: true }),
    ...(log.interface !== undefined && { logInterface: log.interface }),
  };
}

export function taggedOf({ name, not }: { name: Word; not?: true }): NonNullable<PfRule['tagged']> {
  return { name: limited(name, 'tag'), ...(not && { not }) };
}

export function limited(word: Word, what: string, max = LABEL_MAX): string {
  return word.text.length > max ? refuse(word, `${what} too long, max ${max} chars`) : word.text;
}
