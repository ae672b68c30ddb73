/**
 * Numbers of names that packets carry: tags and queues. A name keeps its number for as long as PF is loaded; 0 is no name. Kept as JSON in pages, so that all threads agree.
 */
import { MOST_FILTER_TAGS } from '../../memory/mbuf.ts';
import { pfs } from './records.ts';
import type { Pf } from './records.ts';
import type { RuleNumbers } from './rules.ts';
import { freePages, loadText, storeText } from './text.ts';

interface Cached {
  readonly page: number;
  readonly bytes: number;
  readonly list: readonly string[];
}
const cache: (Cached | undefined)[] = [];

/** The names of a PF: the number of one is its place, from 1. */
function namesOf(pf: Pf): readonly string[] {
  if (pf.tags === 0) return [];
  const index = pfs.indexOf(pf.ptr);
  const known = cache[index];
  if (known?.page === pf.tags && known.bytes === pf.tagBytes) return known.list;
  const list = JSON.parse(loadText({ page: pf.tags, bytes: pf.tagBytes })) as string[];
  while (cache.length <= index) cache.push(undefined);
  cache[index] = { page: pf.tags, bytes: pf.tagBytes, list };
  return list;
}

/** Gives numbers to names that have none. False when there are too many, or no room. */
export function enterNames(pf: Pf, wanted: Iterable<string>): boolean {
  const list = [...namesOf(pf)];
  const before = list.length;
  for (const name of wanted) if (!list.includes(name)) list.push(name);
  if (list.length === before) return true;
  const stored = list.length > MOST_FILTER_TAGS ? undefined : storeText(JSON.stringify(list));
  if (stored === undefined) return false;
  if (pf.tags !== 0) freePages(pf.tags);
  pf.tags = stored.page;
  pf.tagBytes = stored.bytes;
  cache[pfs.indexOf(pf.ptr)] = undefined;
  return true;
}

/** The numbers of names that were entered; 0 for others. */
export function nameNumbers(pf: Pf): RuleNumbers {
  const list = namesOf(pf);
  const number = (name: string): number => list.indexOf(name) + 1;
  return { tag: number, queue: number };
}

/** The name with a number; '' for 0. */
export function nameOf(pf: Pf, number: number): string {
  return number === 0 ? '' : (namesOf(pf)[number - 1] ?? '');
}
