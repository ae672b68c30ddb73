/**
 * Making and removing links: plugs are joined in a ring, each end gets its direction with its impairments and a seed of its own.
 */
import { mFreeList } from '../../stack/memory/mbuf.ts';
import { seedRandom } from '../../stack/runtime/random.ts';
import { HANDLER, KIND, freeSource, newSource } from '../../stack/runtime/source.ts';
import { clearPlug, plugs } from '../../stack/net/plug.ts';
import { directionStruct, directions, links } from './link-record.ts';
import type { Direction } from './link-record.ts';
import type { Impairments, NormalLink } from './file/model.ts';

const LINK_PRIORITY = 22;

/** A link as the lab keeps it. */
export interface LabLinkRecord {
  readonly name: string;
  readonly ptr: number;
  /** Directions in the order of the link's ends. */
  readonly directions: readonly Direction[];
}

function isPerfect(impairments: Impairments): boolean {
  const { delayNs, jitterNs, lossP, duplicateP, reorderP, corruptP, rateBps } = impairments;
  return delayNs + jitterNs + lossP + duplicateP + reorderP + corruptP + rateBps === 0;
}

/** Sets what a direction does to frames. No thread services its link meanwhile. */
export function setImpairments(direction: Direction, impairments: Impairments): void {
  direction.delay = impairments.delayNs;
  direction.jitter = impairments.jitterNs;
  direction.loss = impairments.lossP;
  direction.duplicate = impairments.duplicateP;
  direction.reorder = impairments.reorderP;
  direction.corrupt = impairments.corruptP;
  direction.rate = impairments.rateBps;
  direction.queue = impairments.queue;
  direction.perfect = isPerfect(impairments) ? 1 : 0;
}

/** Joins plugs by a link at home in run queue `home`. Throws when the memory has no room for more. */
export function connectLink(options: NormalLink, ends: readonly number[], home: number): LabLinkRecord {
  const ptr = links.alloc();
  const source = newSource({
    kind: KIND.hardware,
    handler: HANDLER.link,
    arg: ptr,
    stack: 0,
    home,
    priority: LINK_PRIORITY,
  });
  if (ptr === 0 || source === 0)
    throw new Error(`link ${options.name}: at most ${links.capacity} links fit into one lab`);
  const link = links.get(ptr);
  link.source = source;
  link.ends = ends.length;
  link.mtu = options.mtu ?? 0;
  const made = ends.map((plug, i) => {
    const at = directions.alloc();
    if (at === 0)
      throw new Error(`link ${options.name}: at most ${directions.capacity} ends of links fit into one lab`);
    const direction = directions.get(at);
    direction.link = ptr;
    direction.end = i;
    direction.plug = plug;
    seedRandom(at + directionStruct.offsets.random, `link:${options.name}:${i}`);
    setImpairments(direction, options.directions[i]!);
    return direction;
  });
  made.forEach((direction, i) => {
    direction.next = made[i + 1]?.ptr ?? 0;
    const plug = plugs.get(direction.plug);
    plug.ring = made[(i + 1) % made.length]!.plug;
    plug.link = source;
  });
  link.directions = made[0]!.ptr;
  link.serial = options.baud === undefined ? 0 : 1;
  return { name: options.name, ptr, directions: made };
}

/** Takes a link away: frames under way are lost. No thread works meanwhile. */
export function disconnectLink(record: LabLinkRecord): void {
  const link = links.get(record.ptr);
  for (const direction of record.directions) {
    const plug = plugs.get(direction.plug);
    if (plug.link === link.source) {
      clearPlug(plug);
      plug.link = 0;
      plug.ring = 0;
    }
    mFreeList(direction.sendFirst);
    mFreeList(direction.wayFirst);
    directions.free(direction.ptr);
  }
  freeSource(link.source);
  links.free(record.ptr);
}
