/**
 * route-to, reply-to, dup-to and fastroute (pf.conf(5), "ROUTING"): the packet leaves where the rule says, past the routing table, after the filter of that interface has seen it.
 */
import { mFree, ownerTag } from '../../memory/mbuf.ts';
import { mCopyPacket } from '../../memory/mbuf-chain.ts';
import { ERRNO } from '../../runtime/messages/errno.ts';
import { findInterface, ifnets } from '../../net/ifnet.ts';
import type { Ifnet } from '../../net/ifnet.ts';
import { PFIL_OUT, pfilTaken } from '../../net/pfil.ts';
import { lookupRoute, routes } from '../../net/route.ts';
import type { Stack } from '../../net/stack.ts';
import { transmitFiltered } from '../../netinet/ip-output.ts';
import { isForward } from './new-state.ts';
import { outcome } from './outcome.ts';
import { pd } from './packet.ts';
import { POOL_KIND, mapAddress } from './pool.ts';
import { stateRecords } from './records.ts';

const OUTPUT = ownerTag('output');

/** How often a packet is sent another way before it counts as going round in circles. */
const MOST_TURNS = 4;
let turns = 0;

interface Hop {
  readonly ifp: Ifnet;
  readonly nexthop: number;
}

/** Where the routing table would send the packet. */
function byTable(): Hop | undefined {
  const ptr = lookupRoute(pd.stack, pd.destination);
  if (ptr === 0) return undefined;
  const { interface: ifp, gateway } = routes.get(ptr);
  return { ifp: ifnets.get(ifp), nexthop: gateway !== 0 ? gateway : pd.destination };
}

/** Where the rule sends the packet at hand. */
function byRule(): Hop | undefined {
  const { rule, state } = outcome;
  const pool = rule?.source.route?.pool;
  if (rule === undefined || pool === undefined) return byTable();
  if (state !== 0) {
    const { routeIfp, routeTo } = stateRecords.get(state);
    return routeIfp === 0
      ? undefined
      : { ifp: ifnets.get(routeIfp), nexthop: routeTo !== 0 ? routeTo : pd.destination };
  }
  const mapped = mapAddress(pool, rule.anchor, rule.record, pd.source, POOL_KIND.route);
  const ifp = findInterface(pd.stack, mapped?.choice.interface ?? '');
  if (mapped === undefined || ifp === undefined) return undefined;
  return { ifp, nexthop: mapped.choice.address !== 0 ? mapped.choice.address : pd.destination };
}

/** True if the rule has the packet at hand go another way, in the direction it travels. */
function diverts(): boolean {
  const kind = outcome.rule?.source.route?.kind;
  if (kind === undefined) return false;
  return (kind === 'reply-to') !== isForward(outcome.state);
}

/**
 * Sends the packet at hand, which passes, where its rule says; returns it if it goes its usual way. `filter` is PF itself, for the interface that it leaves by. Reads what it needs
 * of the packet at hand before that is another one.
 */
export function divert(m: number, filter: (stack: Stack, m: number, ifp: Ifnet) => number): number {
  if (!diverts()) return m;
  const { stack, ifp: own, direction } = pd;
  const duplicates = outcome.rule?.source.route?.kind === 'dup-to';
  const hop = byRule();
  const sent = duplicates ? mCopyPacket(OUTPUT, m) : m;
  const kept = duplicates ? m : 0;
  if (sent === 0) return kept;
  if (hop === undefined || turns === MOST_TURNS) {
    mFree(sent);
    return kept;
  }
  // Out by the interface where it would leave anyway: it has been seen.
  const seen = direction === PFIL_OUT && hop.ifp.ptr === own.ptr;
  turns++;
  const filtered = seen ? sent : filter(stack, sent, hop.ifp);
  turns--;
  const status =
    filtered === 0 ? ERRNO.EHOSTUNREACH : transmitFiltered(stack, filtered, hop.ifp, hop.nexthop);
  if (!duplicates) pfilTaken(status);
  return kept;
}
