/**
 * scrub (pf.conf(5), "TRAFFIC NORMALIZATION"): fragments are put together or tidied up, TTL, identification, DF and the maximum segment size are set as the first scrub rule that
 * matches says; TCP flags that make no sense are a reason to drop.
 */
import { be16, putBe16, u8 } from '../../memory/memory.ts';
import { random32 } from '../../runtime/random.ts';
import { stackStruct } from '../../net/stack.ts';
import { IP_DF, IP_ID, IP_MF, IP_OFF, IP_OFFMASK, IP_SUM, IP_TTL_AT } from '../../netinet/ip.ts';
import { reassemble } from '../../netinet/ip-reassembly.ts';
import type { PfScrubOptions } from '../../filter/pf/ruleset.ts';
import { REASON } from './counters.ts';
import { passFragment } from './fragment-cache.ts';
import { matchFirst } from './match.ts';
import { refuseTcpNormalised, scrubTcp } from './normalise-tcp.ts';
import { countRule, outcome, refuse } from './outcome.ts';
import { fixSum16, mine, pd, readPacket, readTransport } from './packet.ts';
import { PART, mainRules } from './view.ts';

const RANDOM = stackStruct.offsets.random;
const IP_MAXPACKET = 65_535;

/** 'held': the fragment waits for others. 'dropped': the outcome says why. */
export type Scrubbed = 'pass' | 'held' | 'dropped';

function dropped(reason: number): Scrubbed {
  refuse(reason);
  return 'dropped';
}

/** Changes the 16-bit word at an offset of the IP header, and its checksum. */
function setWord(offset: number, value: number): void {
  const at = pd.ip + offset;
  const before = be16(at);
  if (before === value) return;
  putBe16(at, value);
  fixSum16(pd.ip + IP_SUM, before, value);
}

/** A fragment by itself: whether it can belong to a datagram at all. */
function isSound(): boolean {
  const off = be16(pd.ip + IP_OFF);
  const bytes = pd.length - pd.header;
  const last = (off & IP_MF) === 0;
  const start = (off & IP_OFFMASK) << 3;
  if ((off & IP_DF) !== 0) return false;
  // All but the last have a multiple of 8 bytes.
  return (last || (bytes & 7) === 0) && bytes > 0 && start + bytes <= IP_MAXPACKET;
}

function scrubFragment(options: PfScrubOptions): Scrubbed {
  if (options.noDf === true) setWord(IP_OFF, be16(pd.ip + IP_OFF) & ~IP_DF);
  if (!isSound()) return dropped(REASON.fragment);
  if (options.fragment !== 'reassemble') {
    const kept = passFragment(options.fragment === 'drop-ovl');
    if (kept) readPacket(pd.m);
    return kept ? 'pass' : dropped(REASON.fragment);
  }
  const whole = reassemble(pd.stack, pd.m);
  if (whole === 0) {
    pd.m = 0;
    return 'held';
  }
  // The header's length and offset are those of the datagram now.
  readPacket(whole);
  return 'pass';
}

function setTtl(least: number): void {
  const ttl = u8[pd.ip + IP_TTL_AT]!;
  if (ttl < least) setWord(IP_TTL_AT, (least << 8) | u8[pd.ip + IP_TTL_AT + 1]!);
}

/** Applies the first scrub rule that matches the packet at hand. */
export function scrub(): Scrubbed {
  refuseTcpNormalised();
  if (mainRules(pd.pf, PART.scrub) === undefined) return 'pass';
  // Rules may name ports.
  if (!pd.fragment && readTransport() === 'gone') return dropped(REASON.memory);
  const found = matchFirst(PART.scrub);
  const options = found?.rule.source.scrub;
  if (found === undefined || options === undefined) return 'pass';
  countRule(found.rule);
  if (!mine(pd.header)) return dropped(REASON.memory);
  if (pd.fragment) {
    const fate = scrubFragment(options);
    if (fate !== 'pass') return fate;
    if (!mine(pd.header)) return dropped(REASON.memory);
  }
  if (options.noDf === true) setWord(IP_OFF, be16(pd.ip + IP_OFF) & ~IP_DF);
  if (options.minTtl !== undefined) setTtl(options.minTtl);
  if (options.randomId === true && !pd.fragment) setWord(IP_ID, random32(pd.stack.ptr + RANDOM) & 0xffff);
  if (!scrubTcp(options)) {
    outcome.rule = found.rule;
    outcome.log = found.rule.log > 0;
    return dropped(REASON.normalize);
  }
  return 'pass';
}
