/**
 * Captures of a lab in files: any number of capture points to one pcapng file with an interface block for each (or to a classic nanosecond pcap), all on the
 * lab's clock. The files say nothing of the machine or the day: the same virtual run gives the same bytes. A pcapng file also holds the journeys of the run's
 * packets.
 */
import { readClock, wallClock } from '../../stack/runtime/clock.ts';
import { journeyBlocks, journeyOption } from '../capture/journey.ts';
import type { JourneyStation } from '../capture/journey.ts';
import { LINKTYPE_ETHERNET, linkTypeName } from '../capture/link-type.ts';
import type { PacketDirection, PcapngOption } from '../capture/packet.ts';
import { PcapWriter } from '../capture/pcap-writer.ts';
import { PcapngWriter } from '../capture/pcapng-writer.ts';
import { fileSink } from '../capture/sink.ts';
import type { BatchSink } from '../capture/sink.ts';
import type { Capture, CapturePlace, SeenPacket } from './captures.ts';
import type { CapturePoint } from './file/endpoint.ts';
import type { NormalLab } from './file/model.ts';
import { linkTypeOfLink, pseudoLinkType } from './file/pseudo-interfaces.ts';
import type { JourneyHub } from './journeys.ts';
import type { RunningLab } from './lab.ts';

const APPLICATION = 'Stackscope';
/** Longer than any frame: packets are kept whole. */
const SNAPLEN = 262_144;
/** Byte order of the files. */
const LITTLE_ENDIAN = true;

/** A file and what goes into it. */
export interface CaptureFileRequest {
  readonly at: CapturePoint;
  /** Absolute, or relative to the working directory. */
  readonly file: string;
  /** Which packets of these places it takes; undefined: all. */
  readonly filter?: string | undefined;
}

/** True if a file of this name has room for journeys: a classic pcap has none. */
export function keepsJourneys(file: string): boolean {
  return !isClassic(file);
}

function isClassic(file: string): boolean {
  return file.toLowerCase().endsWith('.pcap');
}

/** What became of a file. */
export interface CaptureFileReport {
  readonly file: string;
  readonly packets: number;
  /** Packets that the capture ring had no room for. */
  readonly dropped: number;
  /** Why the file ends before its time: the operating system's words. */
  readonly error?: string;
}

/** The capture files of one run of a lab. */
export interface CaptureFiles {
  /** Begins to capture on links: they are there, and no node has started. */
  beginLinks(lab: RunningLab): void;
  /** Begins to capture on interfaces of a node whose stack has started, for the first time or again. */
  beginNode(lab: RunningLab, node: string): void;
  /** Hands what was captured to the operating system, for those who read along. */
  flush(): void;
  /** Ends capturing and completes the files; the lab is still there. A second call does nothing. */
  finish(): readonly CaptureFileReport[];
}

/** What a file says of a place, and which of its packets go into the file. */
interface FilePlace {
  readonly linkType: number;
  readonly filter: string | undefined;
}

/** A place that is captured twice into one file: what either of the two takes. */
function eitherFilter(one: string | undefined, other: string | undefined): string | undefined {
  if (one === undefined || other === undefined) return undefined;
  return one === other ? one : `(${one}) or (${other})`;
}

/** Names of the places that a capture point of a lab stands for, as `CapturePlace.name` has them, with their link types. */
export function placesOf(
  lab: NormalLab,
  at: CapturePoint,
): readonly (readonly [name: string, linkType: number])[] {
  if (at.kind !== 'interface')
    return lab.links
      .filter(({ name }) => at.kind === 'all' || name === at.link)
      .map((link) => [`link:${link.name}`, linkTypeOfLink(link)]);
  const isCard = lab.nodes.some(
    ({ name, interfaces }) => name === at.node && interfaces.includes(at.interface),
  );
  const made = isCard ? undefined : pseudoLinkType(at.interface);
  return [[`${at.node}:${at.interface}`, made ?? LINKTYPE_ETHERNET]];
}

/**
 * Creates the files; requests with equal `file` share one.
 * @throws Error with the name of the file and the operating system's reason; no file stays open then.
 */
export function openCaptureFiles(lab: NormalLab, requests: readonly CaptureFileRequest[]): CaptureFiles {
  const byFile = new Map<string, Map<string, FilePlace>>();
  for (const { at, file, filter } of requests) {
    const places = byFile.get(file) ?? new Map<string, FilePlace>();
    for (const [name, linkType] of placesOf(lab, at)) {
      const before = places.get(name);
      places.set(name, {
        linkType,
        filter: before === undefined ? filter : eitherFilter(before.filter, filter),
      });
    }
    byFile.set(file, places);
  }
  const files: OpenFile[] = [];
  try {
    for (const [file, places] of byFile) files.push(new OpenFile(file, places));
  } catch (error) {
    for (const file of files) file.finish();
    throw error;
  }
  const begin = (lab: RunningLab, concerns: (place: CapturePlace) => boolean): void => {
    const places = lab.places().filter(concerns);
    for (const file of files) file.begin(lab, places);
  };
  let reports: readonly CaptureFileReport[] | undefined;
  return {
    beginLinks: (lab) => begin(lab, ({ kind }) => kind === 'link'),
    beginNode: (lab, node) =>
      begin(lab, ({ kind, name }) => kind === 'interface' && name.startsWith(`${node}:`)),
    flush() {
      for (const file of files) file.flush();
    },
    finish() {
      if (reports !== undefined) return [];
      reports = files.map((file) => file.finish());
      return reports;
    },
  };
}

interface WrittenPacket {
  interfaceId: number;
  time: bigint;
  data: Uint8Array;
  originalLength: number;
  direction?: PacketDirection;
  options?: readonly PcapngOption[];
}

/** What packets are written with: the parts of both writers that differ. */
interface PacketWriter {
  write(packet: WrittenPacket): void;
  /** Stations of journeys, and how many were lost so far. A classic pcap file has no place for them. */
  writeStations(stations: readonly JourneyStation[], lost: number): void;
  /** Counters of a point, at the end; a classic pcap file has no place for them. */
  finishPoint(id: number, received: number, dropped: number, from: bigint, to: bigint): void;
}

interface Point {
  readonly id: number;
  packets: number;
}

class OpenFile {
  readonly #file: string;
  readonly #sink: BatchSink;
  readonly #writer: PacketWriter;
  readonly #points = new Map<string, Point>();
  readonly #places: ReadonlyMap<string, FilePlace>;
  readonly #captures: Capture[] = [];
  #endJourneys: (() => void) | undefined;
  // One of each for all packets: a capture of bulk traffic makes no garbage of its own.
  readonly #undirected: WrittenPacket = {
    interfaceId: 0,
    time: 0n,
    data: new Uint8Array(0),
    originalLength: 0,
  };
  readonly #directed: WrittenPacket = { ...this.#undirected, direction: 'inbound' };
  #error: string | undefined;
  #began = 0n;

  /** @param places what goes into it, by name. */
  constructor(file: string, places: ReadonlyMap<string, FilePlace>) {
    this.#file = file;
    this.#places = places;
    const linkTypes = new Map([...places].map(([name, { linkType }]) => [name, linkType]));
    if (isClassic(file)) expectOneLinkType(file, linkTypes);
    this.#sink = openSink(file);
    for (const name of places.keys()) this.#points.set(name, { id: this.#points.size, packets: 0 });
    this.#writer = isClassic(file)
      ? classicWriter(this.#sink, linkTypes)
      : pcapngWriter(this.#sink, linkTypes);
  }

  begin(lab: RunningLab, places: readonly CapturePlace[]): void {
    const isNew = (name: string): boolean => !this.#captures.some((capture) => capture.isAttached(name));
    const own = places.filter(({ name }) => this.#points.has(name) && isNew(name));
    if (own.length === 0) return;
    if (this.#captures.length === 0) this.#began = wallClock(readClock());
    const filterOf = ({ name }: CapturePlace): string | undefined => this.#places.get(name)?.filter;
    for (const filter of new Set(own.map(filterOf))) {
      const alike = own.filter((place) => filterOf(place) === filter);
      this.#captures.push(lab.captures.listen(alike, SNAPLEN, (seen) => this.#write(seen), filter));
    }
    this.#endJourneys ??= this.#beginJourneys(lab.journeys);
  }

  /** Returns what writes the last stations and ends that. */
  #beginJourneys(journeys: JourneyHub): () => void {
    const end = journeys.listen((stations, lost) => {
      if (this.#error === undefined) this.#try(() => this.#writer.writeStations(stations, lost));
    });
    return () => {
      journeys.drain();
      end();
    };
  }

  #write(seen: SeenPacket): void {
    const point = this.#points.get(seen.point.name);
    if (point === undefined || this.#error !== undefined) return;
    const packet = this.#packetFor(seen);
    packet.interfaceId = point.id;
    packet.time = seen.wall;
    packet.data = seen.bytes;
    packet.originalLength = seen.length;
    if (seen.direction !== undefined) packet.direction = seen.direction;
    this.#try(() => this.#writer.write(packet));
    point.packets++;
  }

  #packetFor({ direction, journey }: SeenPacket): WrittenPacket {
    const packet = direction === undefined ? this.#undirected : this.#directed;
    return journey === 0 ? packet : { ...packet, options: [journeyOption(journey, LITTLE_ENDIAN)] };
  }

  /** A full disk ends the file, not the lab. */
  #try(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#error ??= reasonOf(error);
    }
  }

  flush(): void {
    if (this.#error === undefined) this.#try(() => this.#sink.flush());
  }

  finish(): CaptureFileReport {
    const dropped = new Map<string, number>();
    for (const capture of this.#captures) {
      capture.stop();
      for (const [name, count] of capture.drops()) dropped.set(name, (dropped.get(name) ?? 0) + count);
    }
    this.#endJourneys?.();
    const to = wallClock(readClock());
    for (const [name, { id, packets }] of this.#points) {
      const lost = dropped.get(name) ?? 0;
      if (this.#error === undefined)
        this.#try(() => this.#writer.finishPoint(id, packets + lost, lost, this.#began, to));
    }
    this.#try(() => this.#sink.close());
    return {
      file: this.#file,
      packets: sum([...this.#points.values()].map(({ packets }) => packets)),
      dropped: sum(dropped.values()),
      ...(this.#error !== undefined && { error: this.#error }),
    };
  }
}

function sum(numbers: Iterable<number>): number {
  let total = 0;
  for (const number of numbers) total += number;
  return total;
}

/** A classic pcap file names one link type for all its packets. */
function expectOneLinkType(file: string, places: ReadonlyMap<string, number>): void {
  const [first, ...others] = places;
  const other = others.find(([, linkType]) => linkType !== first?.[1]);
  if (first === undefined || other === undefined) return;
  const [one, two] = [first, other].map(([name, linkType]) => `${name} (${linkTypeName(linkType)})`);
  throw new Error(`${file} cannot hold packets of both ${one!} and ${two!}; name it .pcapng`);
}

function pcapngWriter(sink: BatchSink, places: ReadonlyMap<string, number>): PacketWriter {
  const writer = new PcapngWriter(sink, { application: APPLICATION, littleEndian: LITTLE_ENDIAN });
  for (const [name, linkType] of places) writer.addInterface({ name, linkType, snapLen: SNAPLEN });
  return {
    write: (packet) => writer.writePacket(packet),
    writeStations(stations, lost) {
      for (const block of journeyBlocks(stations, lost, LITTLE_ENDIAN)) writer.writeBlock(block);
    },
    finishPoint(interfaceId, received, dropped, startTime, endTime) {
      const counts = { received: BigInt(received), dropped: BigInt(dropped) };
      writer.writeStatistics({ interfaceId, time: endTime, startTime, endTime, ...counts });
    },
  };
}

function classicWriter(sink: BatchSink, places: ReadonlyMap<string, number>): PacketWriter {
  const [linkType = LINKTYPE_ETHERNET] = places.values();
  const writer = new PcapWriter(sink, { linkType, snapLen: SNAPLEN, precision: 'ns' });
  return {
    write: (packet) => writer.writePacket(packet),
    writeStations: () => undefined,
    finishPoint: () => undefined,
  };
}

function openSink(file: string): BatchSink {
  try {
    return fileSink(file);
  } catch (error) {
    throw new Error(`cannot write ${file}: ${reasonOf(error)}`, { cause: error });
  }
}

/** The operating system's reasons in words. */
const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such folder',
  ENOTDIR: 'there is no such folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
};

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? (error instanceof Error ? error.message : String(error));
}
