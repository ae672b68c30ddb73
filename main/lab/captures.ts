/**
 * Capture points of a running lab: taps on links and interfaces, each with its listeners. Packets come out of the shared ring in order and are handed on with
 * the name of their point.
 */
import { drainCaptures, taps } from '../../stack/net/tap.ts';
import type { CaptureVisitor } from '../../stack/net/tap.ts';
import { wallClock } from '../../stack/runtime/clock.ts';
import type { BpfProgram } from '../../stack/filter/bpf/instruction.ts';
import { freeProgram, newProgram } from '../../stack/net/bpf/program.ts';
import { DLT_EN10MB, DLT_PFLOG } from '../../stack/net/bpf/link-type.ts';
import { ifnets } from '../../stack/net/ifnet.ts';
import type { Ifnet } from '../../stack/net/ifnet.ts';
import { captureFilter } from '../capture/filter.ts';
import { LINKTYPE_ETHERNET, LINKTYPE_PFLOG, LINKTYPE_RAW } from '../capture/link-type.ts';
import { links } from './link-record.ts';

/** A place where packets can be seen. */
export interface CapturePlace {
  /** `link:NAME` or `NODE:IF`. */
  readonly name: string;
  readonly kind: 'link' | 'interface';
  /** Record that has the list of taps. */
  readonly ptr: number;
  /** LINKTYPE number of what is seen there. */
  readonly linkType: number;
}

/** The link type of what is seen at an interface: those that have no link header of their own show bare IP packets. */
export function linkTypeOf({ dlt }: Ifnet): number {
  if (dlt === DLT_EN10MB) return LINKTYPE_ETHERNET;
  return dlt === DLT_PFLOG ? LINKTYPE_PFLOG : LINKTYPE_RAW;
}

/** A packet as it passed a point. `bytes` are valid during the call only. */
export interface SeenPacket {
  readonly point: CapturePlace;
  /** ns of the lab's clock, and since 1970. */
  readonly time: number;
  readonly wall: bigint;
  /** Bytes on the wire. */
  readonly length: number;
  /** Undefined on links, where frames have no direction of their own. */
  readonly direction: 'inbound' | 'outbound' | undefined;
  readonly bytes: Uint8Array;
  /** Number of its journey (journeys.ts), 0 if it is not followed. */
  readonly journey: number;
}
export type CaptureListener = (packet: SeenPacket) => void;

/** A listener at some points. */
export interface Capture {
  /** Packets that the ring had no room for, by point; also when it has stopped. */
  drops(): ReadonlyMap<string, number>;
  /** False once a place is gone: its interface was destroyed, or its stack has ended. */
  isAttached(point: string): boolean;
  stop(): void;
}

export interface CaptureHub {
  /**
   * Begins to hand packets of these places to `listener`; `snaplen` is the most bytes of each.
   * @param filter an expression of pcap-filter(7): packets that it does not take are not copied at all
   * @throws FilterTextError if that is none for the link types of the places; Error when there is no room for more capture points
   */
  listen(
    places: readonly CapturePlace[],
    snaplen: number,
    listener: CaptureListener,
    filter?: string,
  ): Capture;
  /** Hands on what is waiting; says whether there was anything. */
  drain(): boolean;
}

interface AttachedTap {
  readonly place: CapturePlace;
  readonly ptr: number;
}

const DIRECTIONS = [undefined, 'inbound', 'outbound'] as const;

/** @param whileHeld calls something while no thread looks at lists of taps. */
export function captureHub(whileHeld: <T>(work: () => T) => T): CaptureHub {
  const byId = new Map<number, { readonly place: CapturePlace; readonly listener: CaptureListener }>();
  let nextId = 1;

  const visit: CaptureVisitor = (id, time, length, direction, bytes, journey) => {
    const entry = byId.get(id);
    if (entry === undefined) return;
    const way = entry.place.kind === 'link' ? undefined : DIRECTIONS[direction];
    entry.listener({
      point: entry.place,
      time,
      wall: wallClock(time),
      length,
      direction: way,
      bytes,
      journey,
    });
  };
  const drain = (): boolean => drainCaptures(visit) > 0;

  function recordOf(place: CapturePlace): { taps: number } {
    return place.kind === 'link' ? links.get(place.ptr) : ifnets.get(place.ptr);
  }

  function attach(
    place: CapturePlace,
    snaplen: number,
    listener: CaptureListener,
    filter: BpfProgram | undefined,
  ): number {
    const program = filter === undefined ? 0 : newProgram(filter);
    const ptr = filter !== undefined && program === 0 ? 0 : taps.alloc();
    if (ptr === 0) {
      freeProgram(program);
      throw new Error(`capture at ${place.name}: at most ${taps.capacity} capture points at a time`);
    }
    const tap = taps.get(ptr);
    tap.filter = program;
    tap.id = nextId++;
    tap.snaplen = snaplen;
    byId.set(tap.id, { place, listener });
    const record = recordOf(place);
    tap.next = record.taps;
    record.taps = ptr;
    return ptr;
  }

  function unlink(place: CapturePlace, ptr: number): void {
    const record = recordOf(place);
    if (record.taps === ptr) record.taps = taps.get(ptr).next;
    else {
      let at = record.taps;
      while (at !== 0 && taps.get(at).next !== ptr) at = taps.get(at).next;
      if (at !== 0) taps.get(at).next = taps.get(ptr).next;
    }
  }

  function detach(place: CapturePlace, ptr: number): void {
    const tap = taps.get(ptr);
    if (tap.orphan === 0) unlink(place, ptr);
    byId.delete(tap.id);
    freeProgram(tap.filter);
    taps.free(ptr);
  }

  /** All or none. */
  function attachAll(
    places: readonly CapturePlace[],
    snaplen: number,
    listener: CaptureListener,
    filter: string | undefined,
  ): readonly AttachedTap[] {
    const attached: AttachedTap[] = [];
    try {
      for (const place of places) {
        const program = filter === undefined ? undefined : captureFilter(filter, place.linkType);
        attached.push({ place, ptr: attach(place, snaplen, listener, program) });
      }
    } catch (error) {
      for (const { place, ptr } of attached) detach(place, ptr);
      throw error;
    }
    return attached;
  }

  return {
    drain,
    listen(places, snaplen, listener, filter) {
      const attached = whileHeld(() => attachAll(places, snaplen, listener, filter));
      const dropped = (): Map<string, number> =>
        new Map(attached.map(({ place, ptr }) => [place.name, taps.get(ptr).drops]));
      let final: Map<string, number> | undefined;
      return {
        drops: () => final ?? dropped(),
        isAttached: (point) =>
          final === undefined &&
          attached.some(({ place, ptr }) => place.name === point && taps.get(ptr).orphan === 0),
        stop() {
          if (final !== undefined) return;
          whileHeld(() => {
            drain();
            final = dropped();
            for (const { place, ptr } of attached) detach(place, ptr);
          });
        },
      };
    },
  };
}
