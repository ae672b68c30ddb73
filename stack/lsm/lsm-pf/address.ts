/**
 * Addresses as PF handles them: text, and words in host order: one for IPv4, four for IPv6 (RFC 4291 §2.2, text as in RFC 5952).
 */
import type { PfFamily } from '../../filter/pf/ruleset.ts';

/** An IPv4 address from its text, which is known to be one. */
export function address4(text: string): number {
  return text.split('.').reduce((sum, part) => ((sum << 8) | Number(part)) >>> 0, 0);
}

export function text4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** The words of an address from its text: IPv4 in the first, IPv6 in all four. */
export function addressWords(text: string): number[] {
  if (!text.includes(':')) return [address4(text), 0, 0, 0];
  const [front = '', back] = text.replace(/%.*$/, '').split('::');
  const groups = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((group) => {
          if (!group.includes('.')) return [Number.parseInt(group, 16)];
          const embedded = address4(group);
          return [embedded >>> 16, embedded & 0xffff];
        });
  const first = groups(front);
  const last = back === undefined ? [] : groups(back);
  const all = [
    ...first,
    ...Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => 0),
    ...last,
  ];
  return [0, 2, 4, 6].map((i) => (((all[i] ?? 0) << 16) | (all[i + 1] ?? 0)) >>> 0);
}

/** The text of words. */
export function wordsText(af: PfFamily, words: readonly number[]): string {
  if (af === 'inet') return text4(words[0]!);
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  let best = { at: 0, length: 1 };
  for (let at = 0; at < 8; at++) {
    let length = 0;
    while (at + length < 8 && groups[at + length] === 0) length++;
    if (length > best.length) best = { at, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.length === 1) return hex.join(':');
  return `${hex.slice(0, best.at).join(':')}::${hex.slice(best.at + best.length).join(':')}`;
}

/** The mask of an IPv4 prefix length, host order. */
export function mask4(length: number): number {
  return length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
}
