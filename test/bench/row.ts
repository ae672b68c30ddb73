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
  readonly met?: boolean;
}

/** How a figure is judged. */
export interface Judgement {
  /** The peer's figures of the same run; undefined or none where the peer is not there. */
  readonly peers?: readonly number[] | undefined;
  /** The least ratio to the peer: without figures of the peer the row has no gate. */
  readonly leastRatio?: number;
  /** The most that the value may be. */
  readonly mostValue?: number;
}

/** Units of which less is better. */
const costs: ReadonlySet<string> = new Set(['ns', 'ms', 's', '%', 'MiB', 'packets']);

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Makes a row of the medians of several runs. */
export function row(name: string, values: readonly number[], unit: string, judgement: Judgement = {}): Row {
  const value = median(values);
  const { peers = [], leastRatio, mostValue } = judgement;
  if (peers.length > 0) {
    const peer = median(peers);
    const ratio = costs.has(unit) ? peer / value : value / peer;
    const compared = { name, value, unit, peer, ratio };
    return leastRatio === undefined ? compared : { ...compared, gate: leastRatio, met: ratio >= leastRatio };
  }
  if (mostValue !== undefined) return { name, value, unit, gate: mostValue, met: value <= mostValue };
  return { name, value, unit };
}
