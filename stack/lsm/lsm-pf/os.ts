/**
 * Operating systems by their SYN (pf.os(5); p0f): window, TTL, DF, size and the order of options. A small list of our own; `pfctl -F osfp` and `set fingerprints` replace it.
 */
import { be16, u8 } from '../../memory/memory.ts';
import { IP_DF, IP_OFF, IP_TTL_AT } from '../../netinet/ip.ts';
import type { PfFingerprint } from '../../filter/pf/ioctl.ts';
import { TCP_HEADER, TCP_WIN, pd } from './packet.ts';
import { pfs } from './records.ts';
import type { Pf } from './records.ts';
import { OPTION, maximumSegment, windowScale, SCALE_MASK } from './segment.ts';
import { freePages, loadText, storeText } from './text.ts';

/** `window:ttl:df:size:options:quirks:class:version:subtype:details` as pf.os(5) has them; what these systems send was measured or is published. */
const OWN_LIST: readonly string[] = [
  '65535:64:1:64:M*,N,W*,N,N,T,S,E:.:MacOS X:10::macOS, iOS',
  'S20:64:1:60:M*,S,T,N,W7:.:Linux:3.x::Linux 3.x and later',
  'S44:64:1:60:M*,S,T,N,W7:.:Linux:4.x::Linux 4.20 and later',
  'S45:64:1:60:M*,S,T,N,W7:.:Linux:4.x::Linux 4.20 and later',
  'S4:64:1:60:M*,S,T,N,W*:.:Linux:2.6::Linux 2.6',
  '65535:64:1:60:M*,N,W*,S,T:.:FreeBSD:9.x::FreeBSD',
  '16384:64:1:64:M*,N,N,S,N,W*,N,N,T:.:OpenBSD:3.x::OpenBSD 3.0 to 5',
  '32768:64:1:64:M*,N,W*,N,N,T,S,E:.:NetBSD:4.x::NetBSD',
  '32768:64:1:60:M*,N,W*,N,N,T:.:NetBSD:3.x::NetBSD',
  '8192:128:1:52:M*,N,W8,N,N,S:.:Windows:7::Windows Vista to 8',
  '64240:128:1:52:M*,N,W8,N,N,S:.:Windows:10::Windows 10 and later',
  '65535:128:1:48:M*,N,N,S:.:Windows:XP::Windows XP',
];

interface Parsed extends PfFingerprint {
  readonly window: string;
  readonly ttl: number;
  readonly df: boolean;
  readonly size: number;
  readonly options: readonly string[];
}

/** Reads a line of pf.os(5); undefined for comments and what cannot be read. */
function parseLine(line: string): Parsed | undefined {
  const fields = line.trim().split(':');
  if (line.trim() === '' || line.startsWith('#') || fields.length < 8) return undefined;
  const [
    window = '',
    ttl = '',
    df = '',
    size = '',
    options = '',
    ,
    osClass = '',
    version = '',
    subtype = '',
  ] = fields;
  return {
    window,
    ttl: Number(ttl),
    df: df === '1',
    size: size === '*' ? 0 : Number(size),
    options: options === '.' ? [] : options.split(',').map((option) => option.trim()),
    class: osClass.replace(/^[@*-]+/, ''),
    version,
    subtype,
  };
}

interface Cached {
  readonly page: number;
  readonly list: readonly Parsed[];
}
const cache: (Cached | undefined)[] = [];
let own: readonly Parsed[] | undefined;

function parseAll(lines: readonly string[]): Parsed[] {
  return lines.flatMap((line) => parseLine(line) ?? []);
}

function fingerprintsOf(pf: Pf): readonly Parsed[] {
  if (pf.fingerprints === 0) return (own ??= parseAll(OWN_LIST));
  const index = pfs.indexOf(pf.ptr);
  const known = cache[index];
  if (known?.page === pf.fingerprints) return known.list;
  const list = parseAll(loadText({ page: pf.fingerprints, bytes: pf.fingerprintBytes }).split('\n'));
  while (cache.length <= index) cache.push(undefined);
  cache[index] = { page: pf.fingerprints, list };
  return list;
}

/** The fingerprints that are loaded. */
export function listFingerprints(pf: Pf): PfFingerprint[] {
  return fingerprintsOf(pf).map((entry) => ({
    class: entry.class,
    version: entry.version,
    subtype: entry.subtype,
  }));
}

/** Replaces the fingerprints by lines of pf.os(5); says how many could be read, undefined when pages are exhausted. */
export function loadFingerprints(pf: Pf, lines: readonly string[]): number | undefined {
  const stored = storeText(lines.join('\n'));
  if (stored === undefined) return undefined;
  if (pf.fingerprints !== 0) freePages(pf.fingerprints);
  pf.fingerprints = stored.page;
  pf.fingerprintBytes = stored.bytes;
  cache[pfs.indexOf(pf.ptr)] = undefined;
  return fingerprintsOf(pf).length;
}

const LETTERS: Readonly<Record<number, string>> = {
  [OPTION.end]: 'E',
  [OPTION.nop]: 'N',
  [OPTION.mss]: 'M',
  [OPTION.scale]: 'W',
  [OPTION.sackPermitted]: 'S',
  [OPTION.timestamp]: 'T',
};

/** The options of the segment at hand as letters, in order. */
function optionLetters(): string[] {
  const letters: string[] = [];
  for (let at = TCP_HEADER; at < pd.tcpHeader;) {
    const kind = u8[pd.transport + at]!;
    letters.push(LETTERS[kind] ?? '?');
    if (kind === OPTION.end) break;
    const length = kind === OPTION.nop ? 1 : u8[pd.transport + at + 1]!;
    if (length < 1) break;
    at += length;
  }
  return letters;
}

function windowMatches(wanted: string, window: number, mss: number): boolean {
  if (wanted === '*') return true;
  if (wanted.startsWith('%')) return window % Number(wanted.slice(1)) === 0;
  if (wanted.startsWith('S')) return window === Number(wanted.slice(1)) * mss;
  if (wanted.startsWith('T')) return window === Number(wanted.slice(1)) * (mss + 40);
  return window === Number(wanted);
}

function optionsMatch(
  wanted: readonly string[],
  letters: readonly string[],
  mss: number,
  scale: number,
): boolean {
  if (wanted.length !== letters.length) return false;
  return wanted.every((option, i) => {
    if (option[0] !== letters[i]) return false;
    const value = option.slice(1);
    if (value === '' || value === '*' || option === 'T0') return true;
    const number = option.startsWith('M') ? mss : scale;
    return value.startsWith('%') ? number % Number(value.slice(1)) === 0 : number === Number(value);
  });
}

function matches(entry: Parsed, letters: readonly string[]): boolean {
  const mss = maximumSegment(0);
  const ttl = u8[pd.ip + IP_TTL_AT]!;
  // Routers on the way have taken some off.
  if (ttl > entry.ttl || ttl < entry.ttl - 40) return false;
  if (((be16(pd.ip + IP_OFF) & IP_DF) !== 0) !== entry.df) return false;
  if (entry.size !== 0 && entry.size !== pd.length) return false;
  const scale = windowScale() & SCALE_MASK;
  return (
    windowMatches(entry.window, be16(pd.transport + TCP_WIN), mss) &&
    optionsMatch(entry.options, letters, mss, scale)
  );
}

/** True if the SYN at hand is one of an operating system, as a rule names it: `Linux`, `OpenBSD 3.x`, `unknown`. */
export function matchesFingerprint(name: string): boolean {
  const letters = optionLetters();
  const found = fingerprintsOf(pd.pf).filter((entry) => matches(entry, letters));
  if (name === 'unknown') return found.length === 0;
  return found.some((entry) => {
    const full = [entry.class, entry.version, entry.subtype].filter((part) => part !== '').join(' ');
    return full === name || full.startsWith(`${name} `);
  });
}
