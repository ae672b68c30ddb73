/**
 * What happens when a tracked source makes more connections, or makes them faster, than its rule allows (pf.conf(5), max-src-conn, max-src-conn-rate): its address goes into
 * the overload table, and its states may be flushed.
 */
import { now } from '../../runtime/clock.ts';
import type { PfRule } from '../../filter/pf/ruleset.ts';
import { text4 } from './address.ts';
import { countLimit } from './counters.ts';
import { pd } from './packet.ts';
import { STATE_CONNECTION_COUNTED, peerOf, sourceNodes, stateRecords } from './records.ts';
import type { State } from './records.ts';
import { anchorOfRecord, ruleByRecord } from './rule-index.ts';
import { addConnection } from './sources.ts';
import { addEntry, findEntry, makeTable, resolveTable, tables } from './tables.ts';
import { TCPS, setConnectionMade } from './tcp-state.ts';

type Options = NonNullable<PfRule['stateOptions']>;

function enterTable(options: Options, anchor: string, address: number): void {
  const name = options.overload!.table;
  countLimit(pd.pf, 'overload table insertion');
  const known = resolveTable(pd.pf, anchor, name);
  const ptr = known !== 0 ? known : makeTable(pd.pf, anchor, name, now());
  if (ptr === 0) return;
  const entry = { af: 'inet', address: text4(address), length: 32 } as const;
  if (findEntry(tables.get(ptr), entry) === 0) addEntry(tables.get(ptr), entry, now());
}

/** A state goes with the next look at what has expired; no segment belongs to it any more. */
function condemn(state: State): void {
  state.touched = -Infinity;
  peerOf(state, true).state = TCPS.closed;
  peerOf(state, false).state = TCPS.closed;
}

/** The states of a source end: those of its rule, or all. */
function flushStates(state: State, address: number, all: boolean): void {
  for (let ptr = pd.pf.firstState; ptr !== 0; ptr = stateRecords.get(ptr).following) {
    const other = stateRecords.get(ptr);
    const from =
      other.direction === state.direction && other.protocol === state.protocol && sourceOf(other) === address;
    if (!from || (!all && other.rule !== state.rule)) continue;
    countLimit(pd.pf, 'overload flush states');
    condemn(other);
  }
}

/** The side that began a state, as PF counts sources: for packets in the other side, out ours. */
function sourceOf(state: State): number {
  return state.direction === 1 ? state.externalAddress : state.lanAddress;
}

/** Notes that a connection of a tracked source is being established; true if it breaks a limit. */
export function connectionMade(state: State): boolean {
  const rule = ruleByRecord(state.rule);
  const options = rule.source.stateOptions;
  if (options === undefined || (state.flags & STATE_CONNECTION_COUNTED) !== 0) return false;
  state.flags |= STATE_CONNECTION_COUNTED;
  const broken = addConnection(pd.pf, state.source, options);
  if (broken === undefined) return false;
  if (options.overload !== undefined) {
    const { address } = sourceNodes.get(state.source);
    enterTable(options, anchorOfRecord(state.rule) ?? '', address);
    if (options.overload.flush !== undefined)
      flushStates(state, address, options.overload.flush === 'global');
  }
  // Its state goes as well: a repetition is judged anew.
  condemn(state);
  return true;
}

setConnectionMade(connectionMade);
