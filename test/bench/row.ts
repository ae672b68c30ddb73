/**
 * A row of the benchmark's table: a figure and, where another program or plain JavaScript does the same job, that peer's figure in the
 * same unit from the same interleaved run, how many times better we are, and how many times better we must be.
 */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly peer?: number;
  /** Above 1 we are better than the peer, whichever way the unit counts. */
  readonly ratio?: number;
  readonly gate?: number;
  readonly met?: boolean;
}
