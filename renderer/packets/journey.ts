/** A packet's journey as the window shows it: stations in groups by node, in the order in which they were passed. */
import type { Journey, Station } from '../../main/api/model.ts';
import { formatSecondsSince } from '../format.ts';

/** How a station is marked: the fast path taken or not, the end of a packet that was lost. */
export type StationMark = 'good' | 'warn' | 'bad' | undefined;

export interface StationLine {
  /** Unique in the journey. */
  readonly key: number;
  /** Seconds since the first station. */
  readonly time: string;
  readonly thread: number;
  readonly place: string;
  /** As `driver in`. */
  readonly name: string;
  readonly text: string;
  readonly buffer: string;
  /** True when the packet is in another buffer than at the station before. */
  readonly moved: boolean;
  readonly mark: StationMark;
}

/** Stations in a row at the same node, or on the same link. */
export interface StationGroup {
  readonly key: number;
  readonly kind: 'node' | 'link';
  readonly title: string;
  readonly lines: readonly StationLine[];
}

interface OpenGroup extends StationGroup {
  readonly lines: StationLine[];
}

/** Colours for so many threads; further ones begin anew. */
const THREAD_COLORS = 8;

/** The CSS colour of a thread. */
export function threadColor(thread: number): string {
  return `var(--thread-${thread % THREAD_COLORS})`;
}

/** Handles are addresses of 32 bits. */
export function bufferHandle(buffer: number): string {
  return `0x${buffer.toString(16).padStart(8, '0')}`;
}

/** `driverIn` to `driver in`. */
export function stationWords(station: string): string {
  return station.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function markOf({ station, text }: Station): StationMark {
  if (station === 'flow') return text.startsWith('hit') ? 'good' : 'warn';
  const isEnd = station === 'drop' || station === 'refused' || station === 'linkLoss';
  return isEnd || text.startsWith('refused') || text.startsWith('blocked') ? 'bad' : undefined;
}

function lineOf({ stations }: Journey, key: number): StationLine {
  const { time, thread, place, station, text, buffer } = stations[key]!;
  return {
    key,
    time: formatSecondsSince(time, stations[0]!.time),
    thread,
    place,
    name: stationWords(station),
    text,
    buffer: bufferHandle(buffer),
    moved: key > 0 && stations[key - 1]!.buffer !== buffer,
    mark: markOf(stations[key]!),
  };
}

/** The groups of a journey. */
export function groupStations(journey: Journey): readonly StationGroup[] {
  const groups: OpenGroup[] = [];
  journey.stations.forEach(({ node, place }, key) => {
    const title = node === '' ? place : node;
    if (groups.at(-1)?.title !== title)
      groups.push({ key, kind: node === '' ? 'link' : 'node', title, lines: [] });
    groups.at(-1)!.lines.push(lineOf(journey, key));
  });
  return groups;
}

/** Threads of a journey, in the order in which they come to it. */
export function threadsOf({ stations }: Journey): readonly number[] {
  return [...new Set(stations.map(({ thread }) => thread))];
}
