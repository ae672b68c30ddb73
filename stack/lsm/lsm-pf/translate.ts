/**
 * Translation of the first packet of a connection (pf.conf(5), "TRANSLATION"): out by binat, then nat; in by rdr, then binat. The packet is rewritten before the filter
 * rules see it; the rest of the connection follows its state.
 */
import { random32 } from '../../runtime/random.ts';
import { stackStruct } from '../../net/stack.ts';
import { PFIL_OUT } from '../../net/pfil.ts';
import { IP_DST, IP_SRC } from '../../netinet/ip.ts';
import { address4, mask4 } from './address.ts';
import { dynamicNetworks, matchFirst } from './match.ts';
import {
  AT_DPORT,
  AT_SPORT,
  ICMP_HEADER,
  PROTOCOL,
  TCP_HEADER,
  mine,
  pd,
  setAddress,
  setPort,
} from './packet.ts';
import { POOL_KIND, mapAddress } from './pool.ts';
import type { Rule } from './rules.ts';
import { gatewayInUse } from './states.ts';
import { PART } from './view.ts';

/** Source ports that nat uses unless a rule says otherwise. */
const NAT_LOW = 50_001;
const NAT_HIGH = 65_535;
const RANDOM = stackStruct.offsets.random;

/** What translation has made of the packet at hand; addresses and ports as they were before. */
export interface Translated {
  readonly rule: Rule;
  readonly anchor: Rule | undefined;
  /** Where the source is remembered (sticky-address), 0 if it is not. */
  readonly node: number;
  readonly source: number;
  readonly sourcePort: number;
  readonly destination: number;
  readonly destinationPort: number;
}

/** 'drop' when no port or address is free, or buffers are exhausted. */
export type Translation = Translated | 'drop' | undefined;

function hasPorts(): boolean {
  return !pd.fragment && (pd.protocol === PROTOCOL.tcp || pd.protocol === PROTOCOL.udp);
}

/** Headers that translation may change. */
function translatedBytes(): number {
  return pd.header + (pd.protocol === PROTOCOL.tcp ? TCP_HEADER : ICMP_HEADER);
}

/** A free source port for `gateway` towards the destination of the packet; -1 if all are in use. */
function freePort(rule: Rule, gateway: number): number {
  const { port, staticPort } = rule.pool!;
  const own = pd.sourcePort;
  const isQuery = pd.protocol === PROTOCOL.icmp;
  const free = (candidate: number): boolean =>
    !gatewayInUse(pd.pf, pd.protocol, pd.destination, pd.destinationPort, gateway, candidate);
  if (!hasPorts() && !isQuery) return free(own) ? own : -1;
  if (staticPort === true || (port === undefined && own === 0)) return free(own) ? own : -1;
  const low = isQuery ? 1 : (port?.a ?? NAT_LOW);
  const high = isQuery ? 65_535 : port === undefined ? NAT_HIGH : (port.b ?? port.a);
  const span = high - low + 1;
  const start = low + ((random32(pd.stack.ptr + RANDOM) >>> 0) % span);
  for (let i = 0; i < span; i++) {
    const candidate = low + ((start - low + i) % span);
    if (free(candidate)) return candidate;
  }
  return -1;
}

/** nat: another source. */
function translateSource(rule: Rule, anchor: string): number | undefined {
  const mapped = mapAddress(rule.pool!, anchor, rule.record, pd.source, POOL_KIND.nat);
  if (mapped === undefined) return undefined;
  const port = freePort(rule, mapped.choice.address);
  if (port < 0 || !mine(translatedBytes())) return undefined;
  setAddress(IP_SRC, mapped.choice.address);
  setPort(AT_SPORT, port);
  return mapped.node;
}

/** rdr: another destination. */
function translateDestination(rule: Rule, anchor: string): number | undefined {
  const mapped = mapAddress(rule.pool!, anchor, rule.record, pd.source, POOL_KIND.rdr);
  if (mapped === undefined || !mine(translatedBytes())) return undefined;
  setAddress(IP_DST, mapped.choice.address);
  if (hasPorts()) setPort(AT_DPORT, targetPort(rule));
  return mapped.node;
}

/** `port p`, or `port p:*`: as far into the range as the packet's port is into that of the rule. */
function targetPort(rule: Rule): number {
  const port = rule.pool?.port;
  if (port === undefined) return pd.destinationPort;
  const first = rule.source.destination.port?.a ?? pd.destinationPort;
  if (port.open === true) return (port.a + pd.destinationPort - first) & 0xffff;
  if (port.b === undefined || port.b === port.a) return port.a;
  const span = port.b - port.a + 1;
  return port.a + ((pd.destinationPort - first) % span);
}

/** The network of a binat's own side, or of its target. */
function binatNetwork(rule: Rule, side: 'own' | 'target'): { address: number; mask: number } | undefined {
  const address = side === 'own' ? rule.source.source.address : rule.pool!.addresses[0]!.address;
  if (address.kind === 'dynamic') return dynamicNetworks(address)[0];
  if (address.kind !== 'network' || address.af !== 'inet') return undefined;
  return { address: address4(address.address), mask: mask4(address.length) };
}

/** binat: the network part changes, the host part stays. */
function translateBoth(rule: Rule): number | undefined {
  const out = pd.direction === PFIL_OUT;
  const network = binatNetwork(rule, out ? 'target' : 'own');
  if (network === undefined || !mine(translatedBytes())) return undefined;
  const host = (out ? pd.source : pd.destination) & ~network.mask;
  const address = ((network.address & network.mask) | host) >>> 0;
  setAddress(out ? IP_SRC : IP_DST, address);
  return 0;
}

const PARTS_OUT = [PART.binat, PART.nat];
const PARTS_IN = [PART.rdr, PART.binat];

/** Translates the packet at hand if a rule says so. */
export function translate(): Translation {
  const parts = pd.direction === PFIL_OUT ? PARTS_OUT : PARTS_IN;
  for (const part of parts) {
    const found = matchFirst(part);
    if (found === undefined) continue;
    const { rule, anchor, path } = found;
    const before = {
      source: pd.source,
      sourcePort: pd.sourcePort,
      destination: pd.destination,
      destinationPort: pd.destinationPort,
    };
    const node =
      part === PART.binat
        ? translateBoth(rule)
        : part === PART.nat
          ? translateSource(rule, path)
          : translateDestination(rule, path);
    return node === undefined ? 'drop' : { rule, anchor, node, ...before };
  }
  return undefined;
}
