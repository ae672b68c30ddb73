/**
 * "Did you mean": the nearest of a set of words by optimal string alignment distance (insert, delete, replace, swap of neighbours).
 */

/** Suggestions for one file: a file of nothing but unknown names must not cost names times names. */
const MAX_SUGGESTIONS = 100;

/** Ends a message about an unknown word: ` (did you mean X?)` where one candidate is near, else nothing. */
export type Suggest = (word: string, candidates: Iterable<string>) => string;

/** Makes a {@link Suggest} for the checks of one file. */
export function suggestions(): Suggest {
  let left = MAX_SUGGESTIONS;
  return (word, candidates) => {
    if (left === 0) return '';
    left--;
    const near = nearest(word, candidates);
    return near === undefined ? '' : ` (did you mean ${near}?)`;
  };
}

/** The candidate nearest to `word`, if it is near enough to be a slip of the fingers. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > 64) return undefined;
  const limit = word.length < 4 ? 1 : Math.floor(word.length / 3);
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const cost = a[row - 1] === b[column - 1] ? 0 : 1;
      const replaced = at(last, column - 1) + cost;
      let distance = Math.min(at(last, column) + 1, at(current, column - 1) + 1, replaced);
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) distance = Math.min(distance, at(beforeLast, column - 2) + 1);
      current.push(distance);
    }
    beforeLast = last;
    last = current;
  }
  return at(last, b.length);
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.POSITIVE_INFINITY;
}
