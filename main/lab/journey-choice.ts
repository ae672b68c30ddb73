/**
 * Which packets are followed, as a user says it: `all`, or any of `every N`, a protocol, `host A.B.C.D` and `port N`, which must all hold, as in
 * `every 10 tcp host 10.0.0.1 port 80`. `1/N` is the same as `every N`. The words are those of pcap-filter(7).
 */
import type { JourneyChoice } from '../../stack/net/journey.ts';
import { parseAddress } from '../capture/address.ts';

/** A choice that was read, or why it was not: a clause that follows the name of the value. */
export type JourneyChoiceResult =
  { readonly ok: true; readonly value: JourneyChoice } | { readonly ok: false; readonly reason: string };

const PROTOCOLS: ReadonlyMap<string, number> = new Map([
  ['icmp', 1],
  ['tcp', 6],
  ['udp', 17],
]);
const LARGEST_EVERY = 1_000_000_000;
const GRAMMAR = 'all, or any of: every N (or 1/N), icmp, tcp, udp, proto N, host A.B.C.D, port N';

type Draft = { -readonly [K in keyof JourneyChoice]?: JourneyChoice[K] };

class Refusal extends Error {}

/** Reads a choice of packets. */
export function parseJourneyChoice(text: string): JourneyChoiceResult {
  const words = text.trim().toLowerCase().split(/\s+/);
  try {
    return { ok: true, value: read(words) };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, reason: error.message };
    throw error;
  }
}

function read(words: readonly string[]): JourneyChoice {
  if (words[0] === '') throw new Refusal(`must say which packets: ${GRAMMAR}`);
  if (words.length === 1 && words[0] === 'all') return { every: 1 };
  const draft: Draft = {};
  for (let at = 0; at < words.length;) at += readTerm(draft, words[at]!, words[at + 1]);
  const { protocol, port } = draft;
  if (port !== undefined && protocol !== undefined && protocol !== 6 && protocol !== 17)
    throw new Refusal(`has port ${port}, but only tcp and udp have ports`);
  return { every: 1, ...draft };
}

/** Takes one term; returns how many words it had. */
function readTerm(draft: Draft, word: string, next: string | undefined): number {
  const protocol = PROTOCOLS.get(word);
  if (protocol !== undefined) {
    put(draft, 'protocol', protocol, word);
    return 1;
  }
  if (word.startsWith('1/')) {
    put(draft, 'every', wholeNumber('1/', word.slice(2), LARGEST_EVERY), word);
    return 1;
  }
  switch (word) {
    case 'every':
      put(draft, 'every', wholeNumber(word, next, LARGEST_EVERY), word);
      return 2;
    case 'proto':
      put(draft, 'protocol', wholeNumber(word, next, 255), word);
      return 2;
    case 'host':
      put(draft, 'address', hostAddress(next), word);
      return 2;
    case 'port':
      put(draft, 'port', wholeNumber(word, next, 65_535), word);
      return 2;
    case 'all':
      throw new Refusal(`has all and more; all stands alone`);
    default:
      throw new Refusal(`has '${word}', which is none of: ${GRAMMAR}`);
  }
}

function put(draft: Draft, key: keyof Draft, value: number, word: string): void {
  if (draft[key] !== undefined)
    throw new Refusal(`has '${word}' where a ${key === 'every' ? 'share' : key} was given already`);
  draft[key] = value;
}

function wholeNumber(word: string, text: string | undefined, most: number): number {
  const value = Number(text);
  if (text !== undefined && /^\d{1,10}$/.test(text) && value >= 1 && value <= most) return value;
  throw new Refusal(`needs a whole number from 1 to ${most} behind ${word}${found(text)}`);
}

function hostAddress(text: string | undefined): number {
  const bytes = text === undefined ? undefined : parseAddress(text);
  if (bytes?.length === 4) {
    const address = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    if (address !== 0) return address;
  }
  throw new Refusal(`needs an IPv4 address such as 10.0.0.1 behind host${found(text)}`);
}

function found(text: string | undefined): string {
  return text === undefined ? '' : `, not '${text}'`;
}
