/** Which rule of a packet filter decided a packet, and which packets a rule decided: by the journeys of those that were followed. */
import { maxHits } from '../../../api/filter-model.ts';
import type { Decision, Hits } from '../../../api/filter-model.ts';
import type { Station } from '../../../api/model.ts';
import { readFilterText } from '../../filter-station.ts';
import type { JourneyStore } from '../journey-store.ts';
import type { PacketRing } from '../packet-ring.ts';

/** What the filters on a packet's way decided. */
export function decisionsOf(
  stations: readonly Pick<Station, 'node' | 'place' | 'station' | 'text' | 'time'>[],
): Decision[] {
  return stations.flatMap(({ node, place, station, text, time }) => {
    const decision = station === 'filter' ? readFilterText(text) : undefined;
    if (decision === undefined) return [];
    const { pass, byState, inAnchor, rule } = decision;
    const name = place.slice(place.indexOf(':') + 1);
    return [{ time, node, interface: name, pass, byState, inAnchor, ...(rule !== undefined && { rule }) }];
  });
}

/** Packets of the ring that passed a link and were decided by a rule of a node. A packet is in the ring once for each link that it passed. */
export function hitsOf(ring: PacketRing, journeys: JourneyStore, node: string, rule: number): Hits {
  const packets: number[] = [];
  let kept = 0;
  let followed = 0;
  const decided = new Map<number, boolean>();
  for (let number = ring.first; number < ring.next; number++) {
    const { journey, point } = ring.raw(number);
    if (!point.startsWith('link:')) continue;
    kept++;
    if (journey === 0) continue;
    followed++;
    const known = decided.get(journey);
    const hit =
      known ??
      decisionsOf(
        journeys.stationsOf(journey).map((station) => ({ ...station, time: String(station.time) })),
      ).some((decision) => decision.node === node && decision.rule === rule);
    decided.set(journey, hit);
    if (hit) packets.push(number);
  }
  return { packets: packets.slice(-maxHits), kept, followed };
}
