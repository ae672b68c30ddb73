/** Broken pf.conf files: right ones with words and letters changed at random, the same for the same seed. */
import type { PfGeneration } from '../../../../stack/filter/pf/ruleset.ts';
import { optimizeRuleSet } from '../../../../stack/filter/pf/optimize.ts';
import { parsePfConf } from '../../../../stack/filter/pf/parse.ts';
import { printRuleSet } from '../../../../stack/filter/pf/listing.ts';
import { machine } from './reading.ts';

const SEEDS: readonly string[] = [
  `ext = "en0"
lan = "{ 10/8, 192.168.0.0/16 }"
table <bad> persist { 203.0.113.0/24, !203.0.113.7, en1 }
set timeout { tcp.first 10, frag 5 }
set limit { states 1000, frags 100 }
set block-policy return
set skip on { lo0 lo1 }
scrub in on $ext all no-df min-ttl 5 max-mss 1400 fragment reassemble
altq on en0 cbq bandwidth 10Mb qlimit 20 queue { a b }
queue a bandwidth 40% priority 2 cbq(default red)
queue b bandwidth 2Mb { c, d }
queue c bandwidth 1Mb
queue d
nat on $ext from $lan to any -> ($ext) port 2000:3000 round-robin sticky-address
rdr pass on en1 proto tcp to port 8000:8010 -> 10.1.0.2 port 80:*
binat on en0 from 10.1.0.9 to any tag b -> 192.0.2.9
nat-anchor "ftp/*"
block in log all label "$if:$nr"
block return-icmp (host-unr, 1) in quick inet proto { tcp udp } from <bad> to any port { 1:9 > 1000 22 }
antispoof quick for { lo0 en0 } inet
pass out on ! $ext route-to { (en0 10.1.0.2), (en1 192.0.2.2) } proto tcp from (en0:network:0)/24 port != 80 to ! 10.0.0.1 \\
  user { root > 100 } group wheel flags S/SAFR tos 0x10 modulate state (max 9, source-track rule, max-src-conn-rate 3/5, overload <bad> flush global, tcp.first 3)
pass inet proto icmp icmp-type { echoreq, unreach code 4 } keep state queue (a, b) probability 20%
anchor foo in on en0 proto udp from ::1 tagged x
load anchor foo from "/etc/foo"
`,
  `set ruleset-optimization basic
set state-policy if-bound
altq on en0 hfsc bandwidth 10Mb queue { x y }
queue x bandwidth 20% hfsc(default realtime(30% 20 10%) linkshare 2Mb upperlimit 5Mb)
queue y bandwidth 10% hfsc(ecn)
nat log (all, to pflog1) on en0 inet6 from any to any -> 2001:db8::/64 source-hash 0x0123456789abcdef0123456789abcdef static-port
pass in log (all, user) quick on { en0, !en1 } proto { tcp, 47 } from { 10.0.0.1 <t> { any no-route } } os { "Linux", unknown } to ! no-route
anchor "web" quick on en0 {
  pass proto tcp to port 80 no state
  anchor proto udp {
    block drop out
    pass from 127.0.0.1 flags any rtable 2
  }
}
pass keep state (max 20, no-sync, floating) tag A B C !tagged D
pass inet6 proto ipv6-icmp icmp6-type { neighbrsol, 136 code 0 }
pass from fe80::1%en0
block quick from { 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 10.0.0.5 10.0.0.6 10.0.0.7 } to any
`,
];

const PIECES = [
  '{', '}', '(', ')', '<', '>', '"', "'", '!', '=', '/', ',', '-', '->', '#', '$', '\\', '\n', ' ', ':', '%', '$ext', '$lan',
  '0', '4294967296', '99999999999999999999', '-1', '0x', '0xffffffff', '1e400', 'NaN', '::', '::1/129', '10/33', '/', '1.2.3.4.5',
  'any', 'all', 'from', 'to', 'port', 'on', 'pass', 'block', 'in', 'keep', 'state', 'table', 'queue', 'set', 'anchor', 'nat',
  'constructor', '__proto__', 'toString', '\0', '\u00e9', '\ud83d', 'x'.repeat(70), '{ '.repeat(40),
]; // prettier-ignore

/** xorshift32: cheap, and the same everywhere. */
function generator(seed: number): (below: number) => number {
  let state = seed * 2_654_435_761 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** A file with a few changes: pieces put in, put in the place of others, taken out, doubled or moved. */
export function mutated(seed: number): string {
  const random = generator(seed);
  let text = SEEDS[random(SEEDS.length)] ?? '';
  for (let changes = 1 + random(6); changes > 0; changes--) {
    const at = random(text.length + 1);
    const length = random(12);
    const piece = PIECES[random(PIECES.length)] ?? '';
    const moved = text.slice(at, at + length);
    const to = random(text.length + 1);
    switch (random(5)) {
      case 0:
        text = text.slice(0, at) + piece + text.slice(at);
        break;
      case 1:
        text = text.slice(0, at) + piece + text.slice(at + length);
        break;
      case 2:
        text = text.slice(0, at) + text.slice(at + length);
        break;
      case 3:
        text = text.slice(0, to) + moved + text.slice(to);
        break;
      default:
        text = text.slice(0, at) + moved + moved + text.slice(at + length);
    }
  }
  return text;
}

/** What became of many files: how many were right, and the longest time that one took, ms. */
export interface Outcome {
  accepted: number;
  rejected: number;
  slowest: number;
  slowestSeed: number;
}

/** Reads the files of these seeds in both generations; those that are right are listed and optimised, too. Throws what a file makes the parser throw, with its seed. */
export function readMutated(first: number, count: number): Outcome {
  const outcome: Outcome = { accepted: 0, rejected: 0, slowest: 0, slowestSeed: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const text = mutated(seed);
    const started = performance.now();
    if (readBoth(text, seed)) outcome.accepted++;
    else outcome.rejected++;
    const took = performance.now() - started;
    if (took > outcome.slowest) {
      outcome.slowest = took;
      outcome.slowestSeed = seed;
    }
  }
  return outcome;
}

function readBoth(text: string, seed: number): boolean {
  try {
    // Both, whatever the first says.
    return (['3.7', '4.2'] as const).map((generation) => readOne(text, generation)).includes(true);
  } catch (error) {
    throw new Error(`seed ${seed}:\n${text}`, { cause: error });
  }
}

function readOne(text: string, generation: PfGeneration): boolean {
  const result = parsePfConf(text, machine, { generation, readFile: () => undefined });
  if ('errors' in result) {
    if (result.errors.length === 0) throw new Error('rejected without a reason');
    return false;
  }
  printRuleSet(optimizeRuleSet(result.ruleSet), result.listing, machine);
  JSON.parse(JSON.stringify(result.ruleSet));
  return true;
}
