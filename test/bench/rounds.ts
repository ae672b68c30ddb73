/**
 * Runs of ours and of the peer in turns: what else the machine does meets all of them alike.
 */

/** How much is measured. */
export interface Effort {
  readonly rounds: number;
  /** Seconds of one run, and before it. */
  readonly seconds: number;
  readonly warmUp: number;
  /** Seconds that something idle is watched. */
  readonly idleSeconds: number;
}

export const FULL: Effort = { rounds: 5, seconds: 2, warmUp: 1, idleSeconds: 5 };
export const QUICK: Effort = { rounds: 3, seconds: 1, warmUp: 1, idleSeconds: 2 };

/** One run of each of several things, by name; the results of all rounds by the same names: none of what is not there. */
export async function interleave<K extends string, T>(
  rounds: number,
  runs: Readonly<Record<K, (() => Promise<T>) | undefined>>,
): Promise<Record<K, T[]>> {
  const names = Object.keys(runs) as K[];
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<K, T[]>;
  for (let round = 0; round < rounds; round++) {
    for (const name of names) {
      const run = runs[name];
      if (run !== undefined) results[name].push(await run());
    }
  }
  return results;
}
