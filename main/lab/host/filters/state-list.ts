/** A page of a state table: the states that match some words, in the order of a column. */
import type { PfEnvironment } from '../../../../stack/filter/pf/environment.ts';
import type { PfEndpoint, PfStateInfo } from '../../../../stack/filter/pf/ioctl.ts';
import type { FilterState, StateColumn, StatePage, StateQuery } from '../../../api/filter-model.ts';
import type { PfDevice } from './pf-device.ts';

/** States that are read at most: more take longer than a window waits. */
const MOST_READ = 20_000;

function endText({ address, port }: PfEndpoint): string {
  return port === 0 ? address : `${address}:${port}`;
}

function shownState(info: PfStateInfo, environment: PfEnvironment): FilterState {
  const { id, direction, lan, gateway, external, state, age, expires, packets, bytes, rule } = info;
  const translated = endText(lan) === endText(gateway) ? undefined : endText(gateway);
  const [source, destination] = direction === 'in' ? [external, gateway] : [lan, external];
  return {
    id,
    interface: info.interface,
    protocol: environment.protocolName(info.protocol) ?? String(info.protocol),
    direction,
    source: endText(source),
    destination: endText(destination),
    ...(translated !== undefined && { translated: direction === 'in' ? endText(lan) : translated }),
    state,
    age,
    expires,
    packets: packets.forward + packets.backward,
    bytes: bytes.forward + bytes.backward,
    ...(rule !== undefined && { rule }),
  };
}

function matcher(text: string): (state: FilterState) => boolean {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  return (state) => {
    const all = [
      state.interface,
      state.protocol,
      state.direction,
      state.source,
      state.destination,
      state.translated ?? '',
      state.state,
      state.rule === undefined ? '' : `@${state.rule}`,
    ]
      .join('\n')
      .toLowerCase();
    return words.every((word) => all.includes(word));
  };
}

/** Addresses in the order of their numbers: `10.0.0.2` before `10.0.0.10`. */
const collator = new Intl.Collator('en', { numeric: true });

function compare(column: StateColumn): (a: FilterState, b: FilterState) => number {
  return (a, b) => {
    const [left, right] = [a[column] ?? -1, b[column] ?? -1];
    return typeof left === 'number' && typeof right === 'number'
      ? left - right
      : collator.compare(String(left), String(right));
  };
}

export async function readStates(
  device: PfDevice,
  environment: PfEnvironment,
  { text, sort, descending, from, count }: StateQuery,
): Promise<StatePage> {
  const { total, states } = await device.states(MOST_READ);
  const matched = states.map((info) => shownState(info, environment)).filter(matcher(text));
  const order = compare(sort);
  matched.sort((a, b) => (descending ? order(b, a) : order(a, b)));
  return {
    total: Math.max(total, states.length),
    read: states.length,
    matched: matched.length,
    states: matched.slice(from, from + count),
  };
}
