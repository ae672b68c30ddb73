/** Options of `keep state` put together and checked against each other (pf.conf(5), STATEFUL TRACKING OPTIONS). */
import { refuse } from './errors.ts';
import type { Place } from './lexer.ts';
import type { PfGeneration, PfStateOptions, PfTimeout } from './ruleset.ts';
import type { StateOptionSyntax, StateSyntax } from './syntax.ts';

/** max-src-conn-rate counts in thousandths of 32 bits. */
const RATE_MAX = Math.floor(0xffff_ffff / 1000);

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Building extends Omit<Mutable<PfStateOptions>, 'timeouts'> {
  timeouts: Partial<Record<PfTimeout, number>>;
  /** source-track was written. */
  tracked?: 'any' | 'rule' | 'global';
  adaptive?: true;
}

/**
 * @param binding what `set state-policy` says for rules that say nothing.
 * @returns undefined if there is nothing to say.
 */
export function compileStateOptions(
  state: StateSyntax,
  generation: PfGeneration,
  binding: PfStateOptions['binding'],
): PfStateOptions | undefined {
  const building: Building = { timeouts: {} };
  for (const option of state.options) add(building, option);
  if (generation === '4.2') setAdaptive(building);
  setSourceTrack(building, state.options[0] ?? { line: 1, column: 1 });
  if (state.kind !== 'no' && binding !== undefined) building.binding ??= binding;
  const { timeouts, tracked: _tracked, adaptive: _adaptive, ...rest } = building;
  const options = { ...rest, ...(Object.keys(timeouts).length > 0 && { timeouts }) };
  return Object.keys(options).length > 0 ? options : undefined;
}

function once(place: Place, given: unknown, message: string): void {
  if (given !== undefined) refuse(place, message);
}

function positive(option: StateOptionSyntax & { value: number }): number {
  if (option.value === 0) refuse(option, `'${option.kind}' must be > 0`);
  return option.value;
}

function add(building: Building, option: StateOptionSyntax): void {
  const twice = `state option '${option.kind}' multiple definitions`;
  switch (option.kind) {
    case 'max':
      once(option, building.max, twice);
      if (option.value > 0) building.max = option.value;
      return;
    case 'max-src-states':
      once(option, building.maxSrcStates, twice);
      building.maxSrcStates = positive(option);
      return;
    case 'max-src-nodes':
      once(option, building.maxSrcNodes, twice);
      building.maxSrcNodes = positive(option);
      return;
    case 'max-src-conn':
      once(option, building.maxSrcConn, twice);
      building.maxSrcConn = positive(option);
      return;
    case 'max-src-conn-rate':
      once(option, building.maxSrcConnRate, twice);
      building.maxSrcConnRate = connectionRate(option);
      return;
    case 'no-sync':
      once(option, building.noSync, "state option 'sync' multiple definitions");
      building.noSync = true;
      return;
    case 'source-track':
      once(option, building.tracked, twice);
      building.tracked = option.scope ?? 'any';
      return;
    case 'overload':
      once(option, building.overload, "multiple 'overload' table definitions");
      building.overload = { table: option.table.text, ...(option.flush && { flush: option.flush }) };
      return;
    case 'binding':
      once(option, building.binding, 'state locking option: multiple definitions');
      building.binding = option.binding;
      return;
    case 'timeout':
      addTimeout(building, option);
      return;
  }
}

function addTimeout(building: Building, option: StateOptionSyntax & { kind: 'timeout' }): void {
  const name = option.name as PfTimeout;
  if (name === 'adaptive.start' || name === 'adaptive.end') building.adaptive = true;
  once(option, building.timeouts[name], `state timeout ${name} multiple definitions`);
  // 0 says that the rule has none of its own.
  if (option.value > 0) building.timeouts[name] = option.value;
}

function connectionRate(
  option: StateOptionSyntax & { kind: 'max-src-conn-rate' },
): NonNullable<PfStateOptions['maxSrcConnRate']> {
  const { limit, seconds } = option;
  if (limit === 0 || seconds === 0) refuse(option, "'max-src-conn-rate' values must be > 0");
  if (limit > RATE_MAX) refuse(option, `'max-src-conn-rate' maximum rate must be < ${RATE_MAX}`);
  return { limit, seconds };
}

/** In 4.2 a limit of states brings adaptive time-outs: from 60 % of it, to nothing at 120 %. */
function setAdaptive(building: Building): void {
  const tenth = Math.floor((building.max ?? 0) / 10);
  if (building.adaptive || tenth === 0) return;
  building.timeouts['adaptive.start'] = tenth * 6;
  building.timeouts['adaptive.end'] = tenth * 12;
}

/** Limits of sources imply source tracking; all but max-src-states by rule. */
function setSourceTrack(building: Building, place: Place): void {
  const { tracked, maxSrcNodes, maxSrcConn, maxSrcConnRate, maxSrcStates } = building;
  const byRule = [
    ['max-src-nodes', maxSrcNodes],
    ['max-src-conn', maxSrcConn],
    ['max-src-conn-rate', maxSrcConnRate],
  ] as const;
  const given = byRule.find(([, value]) => value !== undefined);
  if (tracked === undefined && given === undefined && maxSrcStates === undefined) return;
  if (tracked === 'global' && given)
    refuse(place, `'${given[0]}' is incompatible with 'source-track global'`);
  building.sourceTrack = given !== undefined || tracked === 'rule' ? 'rule' : 'global';
  const seconds = maxSrcConnRate?.seconds ?? 0;
  if ((building.timeouts['src.track'] ?? 0) < seconds) building.timeouts['src.track'] = seconds;
}
