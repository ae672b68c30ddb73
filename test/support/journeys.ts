// Journeys in tests: what every followed packet passed, as lines that read like a route.
import { dissect } from '../../main/capture/dissect/dissect.ts';
import type { JourneyStation } from '../../main/capture/journey.ts';
import { LINKTYPE_ETHERNET } from '../../main/capture/link-type.ts';
import type { RunningLab } from '../../main/lab/lab.ts';

/** A packet as a link saw it. */
export interface WatchedPacket {
  readonly journey: number;
  /** `10.0.0.1 > 10.0.0.2 ICMP Echo (ping) request ...`. */
  readonly text: string;
}

export interface JourneyWatch {
  /** Packets on links so far. */
  packets(): readonly WatchedPacket[];
  stations(): readonly JourneyStation[];
  /** The stations of a journey, as `PLACE STATION`, or `PLACE STATION: TEXT` for those in `withText`. */
  route(journey: number, withText?: readonly string[]): string[];
  /** The route of the first packet on a link whose text has `part`. */
  routeOf(part: string, withText?: readonly string[]): string[];
}

/** Watches all links of a lab; call it from onBuilt. */
export function watchJourneys(lab: RunningLab): JourneyWatch {
  const packets: WatchedPacket[] = [];
  const stations: JourneyStation[] = [];
  const links = lab.places().filter(({ kind }) => kind === 'link');
  lab.captures.listen(links, 65_535, ({ bytes, journey }) => {
    const { source, destination, protocol, info } = dissect(bytes.slice(), LINKTYPE_ETHERNET).columns;
    packets.push({ journey, text: `${source} > ${destination} ${protocol} ${info}` });
  });
  lab.journeys.listen((more) => stations.push(...more));
  const drain = (): void => {
    lab.captures.drain();
    lab.journeys.drain();
  };
  const route = (journey: number, withText: readonly string[] = []): string[] => {
    drain();
    return stations
      .filter((one) => one.journey === journey)
      .map(({ place, station, text }) =>
        withText.includes(station) ? `${place} ${station}: ${text}` : `${place} ${station}`,
      );
  };
  return {
    packets() {
      drain();
      return packets;
    },
    stations() {
      drain();
      return stations;
    },
    route,
    routeOf(part, withText) {
      drain();
      const found = packets.find(({ text }) => text.includes(part));
      if (found === undefined)
        throw new Error(`no packet with '${part}' among: ${packets.map(({ text }) => text).join('\n')}`);
      return route(found.journey, withText);
    },
  };
}
