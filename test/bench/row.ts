/**
 * A row of the benchmark's table: a figure and, where another program or plain JavaScript does the same job, that peer's figure in the
 * same unit from the same interleaved run, how many times better we are, and what must be reached.
 */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly peer?: number;
  /** Above 1 we are better than the peer, whichever way the unit counts. */
  readonly ratio?: number;
  /** The least ratio or, in a row that has no peer by its nature, the bound of the value itself. */
  readonly gate?: number;
  /** Absent where there is no gate, and where the peer is missing that it is about. */
  readonly met?: boolean;
}

/** How a figure is judged. */
export interface Judgement {
  /** The peer's figures of the same run; undefined or none where the peer is not there. */
  readonly peers?: readonly number[] | undefined;
  /** The least ratio to the peer. */
  readonly leastRatio?: number;
  /** The most, and the least, that the value may be. */
  readonly mostValue?: number;
  readonly leastValue?: number;
}

/** Units of which less is better. */
const costs: ReadonlySet<string> = new Set(['ns', 'ms', 's', '%', 'MiB', 'packets', 'bytes/packet']);

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Makes a row of the medians of several runs. */
export function row(name: string, values: readonly number[], unit: string, judgement: Judgement = {}): Row {
  const value = median(values);
  return { name, value, unit, ...judge(value, unit, judgement) };
}

type Verdict = Pick<Row, 'peer' | 'ratio' | 'gate' | 'met'>;

function judge(value: number, unit: string, judgement: Judgement): Verdict {
  const { peers = [], leastRatio, mostValue, leastValue } = judgement;
  if (peers.length > 0) {
    const peer = median(peers);
    const ratio = costs.has(unit) ? peer / value : value / peer;
    return { peer, ratio, ...(leastRatio !== undefined && { gate: leastRatio, met: ratio >= leastRatio }) };
  }
  if (leastRatio !== undefined) return { gate: leastRatio };
  if (mostValue !== undefined) return { gate: mostValue, met: value <= mostValue };
  if (leastValue !== undefined) return { gate: leastValue, met: value >= leastValue };
  return {};
}

/** A row as data: always the same keys, null where the table has an empty cell. */
export function asData({ name, value, unit, peer, ratio, gate, met }: Row): Record<string, unknown> {
  const empty = { peer: null, ratio: null, gate: null, met: null };
  const filled = Object.fromEntries(
    Object.entries({ peer, ratio, gate, met }).filter(([, cell]) => cell !== undefined),
  );
  return { name, value, unit, ...empty, ...filled };
}
