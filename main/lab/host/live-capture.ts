/**
 * Feeds the packets of a running lab to a listener: those of all links always, those of single interfaces while somebody wants them; and the stations of those that are
 * followed to a store.
 */
import { linkTypeOf } from '../captures.ts';
import type { Capture, CaptureListener, CapturePlace } from '../captures.ts';
import type { RunningLab } from '../lab.ts';
import type { JourneyStore } from './journey-store.ts';
import type { RawPacket } from './packet-ring.ts';

const SNAPLEN = 65_535;

interface InterfaceCapture {
  readonly capture: Capture;
  readonly ptr: number;
}

export class LiveCapture {
  readonly #lab: RunningLab;
  readonly #listener: CaptureListener;
  readonly #links: Capture;
  readonly #endJourneys: () => void;
  readonly #interfaces = new Map<string, InterfaceCapture>();
  #dropsSeen = 0;

  constructor(lab: RunningLab, journeys: JourneyStore, onPacket: (packet: RawPacket) => void) {
    this.#lab = lab;
    journeys.beginRun();
    this.#endJourneys = lab.journeys.listen((stations, lost) => journeys.add(stations, lost));
    this.#listener = ({ point, wall, length, bytes, journey }) =>
      onPacket({
        time: wall,
        point: point.name,
        linkType: point.linkType,
        length,
        bytes: new Uint8Array(bytes),
        journey: journeys.numberOf(journey),
      });
    const links = lab.places().filter(({ kind }) => kind === 'link');
    this.#links = lab.captures.listen(links, SNAPLEN, this.#listener);
  }

  /** Captures at these interfaces and at no others, as far as they are there now. */
  setInterfaces(points: ReadonlySet<string>): void {
    const places = new Map<string, CapturePlace>();
    for (const name of points) {
      const place = interfacePlace(this.#lab, name);
      if (place !== undefined) places.set(name, place);
    }
    for (const [name, { capture, ptr }] of this.#interfaces) {
      if (places.get(name)?.ptr === ptr) continue;
      capture.stop();
      this.#interfaces.delete(name);
    }
    for (const [name, place] of places) {
      if (this.#interfaces.has(name)) continue;
      const capture = this.#lab.captures.listen([place], SNAPLEN, this.#listener);
      this.#interfaces.set(name, { capture, ptr: place.ptr });
    }
  }

  /** Packets that the engine had no room for, since the last call. */
  newDrops(): number {
    let drops = 0;
    for (const capture of [this.#links, ...[...this.#interfaces.values()].map((entry) => entry.capture)]) {
      for (const count of capture.drops().values()) drops += count;
    }
    const fresh = Math.max(0, drops - this.#dropsSeen);
    this.#dropsSeen = drops;
    return fresh;
  }

  stop(): void {
    for (const { capture } of this.#interfaces.values()) capture.stop();
    this.#interfaces.clear();
    this.#links.stop();
    this.#lab.journeys.drain();
    this.#endJourneys();
  }
}

/** The place of a point that is written `NODE:IF`; undefined for links and for interfaces that are not there. */
function interfacePlace(lab: RunningLab, name: string): CapturePlace | undefined {
  const [node = '', card = ''] = name.split(':', 2);
  const ifp = lab.findInterface(node, card);
  return ifp === undefined ? undefined : { name, kind: 'interface', ptr: ifp.ptr, linkType: linkTypeOf(ifp) };
}
