/** What a capture file contains, in a few figures; gathered record by record in bounded memory. */
import { decodeJourneyBlock } from './journey.ts';
import { linkTypeName } from './link-type.ts';
import type { CaptureFormat, CaptureProblem, CaptureRecord, InterfaceStatistics } from './packet.ts';
import { captureRecords } from './read.ts';
import type { CaptureSource } from './source.ts';

export interface InterfaceSummary {
  readonly name: string;
  readonly description?: string;
  readonly linkType: string;
  readonly snapLen: number;
  packets: number;
  received?: bigint;
  dropped?: bigint;
}

export interface CaptureSummary {
  format: CaptureFormat;
  packets: number;
  /** Bytes on the wire, as the records give them. */
  bytes: number;
  /** Bytes in the file's packets. */
  capturedBytes: number;
  /** Earliest time, nanoseconds since the epoch. */
  start?: bigint;
  /** Latest time. */
  end?: bigint;
  readonly interfaces: InterfaceSummary[];
  /** Packets that were followed, the stations they passed, and those that nobody had room to note (journey.ts). */
  journeys: number;
  stations: number;
  stationsLost: number;
  readonly comments: string[];
  readonly problems: CaptureProblem[];
  truncated: boolean;
}

/** Reads a capture from start to end. */
export async function summarizeCapture(source: CaptureSource): Promise<CaptureSummary> {
  const summary: CaptureSummary = {
    format: 'unknown',
    packets: 0,
    bytes: 0,
    capturedBytes: 0,
    interfaces: [],
    journeys: 0,
    stations: 0,
    stationsLost: 0,
    comments: [],
    problems: [],
    truncated: false,
  };
  const journeys = new JourneyCounter(summary);
  for await (const record of captureRecords(source)) {
    add(summary, record);
    journeys.add(record);
  }
  return summary;
}

/** Names of the link types in use, each once, in order of first appearance. */
export function linkTypesOf(summary: CaptureSummary): string[] {
  return [...new Set(summary.interfaces.map((entry) => entry.linkType))];
}

function add(summary: CaptureSummary, record: CaptureRecord): void {
  if (record.kind === 'section') {
    summary.format = record.section.format;
    if (record.section.comment !== undefined) summary.comments.push(record.section.comment);
  } else if (record.kind === 'interface') {
    const { name, description, linkType, snapLen } = record.interface;
    const described = description === undefined ? {} : { description };
    summary.interfaces.push({ name, ...described, linkType: linkTypeName(linkType), snapLen, packets: 0 });
  } else if (record.kind === 'packet') {
    addPacket(summary, record.packet);
  } else if (record.kind === 'statistics') {
    addStatistics(summary, record.statistics);
  } else if (record.kind === 'problem') {
    summary.problems.push(record.problem);
    if (record.problem.code === 'truncated') summary.truncated = true;
  }
}

function addPacket(
  summary: CaptureSummary,
  packet: Extract<CaptureRecord, { kind: 'packet' }>['packet'],
): void {
  summary.packets++;
  summary.bytes += packet.originalLength;
  summary.capturedBytes += packet.data.length;
  const entry = summary.interfaces[packet.interfaceId];
  if (entry !== undefined) entry.packets++;
  if (packet.untimed === true) return;
  if (summary.start === undefined || packet.time < summary.start) summary.start = packet.time;
  if (summary.end === undefined || packet.time > summary.end) summary.end = packet.time;
}

/** Counts journeys, which have numbers of their own in each section. */
class JourneyCounter {
  readonly #summary: CaptureSummary;
  #littleEndian = true;
  readonly #numbers = new Set<number>();

  constructor(summary: CaptureSummary) {
    this.#summary = summary;
  }

  add(record: CaptureRecord): void {
    if (record.kind === 'section') {
      this.#littleEndian = record.section.littleEndian;
      this.#numbers.clear();
    }
    const block = record.kind === 'block' ? decodeJourneyBlock(record.block, this.#littleEndian) : undefined;
    if (block === undefined) return;
    if (typeof block === 'string') {
      const message = `a block of journeys is damaged: ${block}`;
      this.#summary.problems.push({ code: 'malformed', offset: 0, message });
      return;
    }
    this.#summary.stations += block.stations.length;
    this.#summary.stationsLost = Math.max(this.#summary.stationsLost, block.lost);
    for (const { journey } of block.stations) {
      if (this.#numbers.has(journey)) continue;
      this.#numbers.add(journey);
      this.#summary.journeys++;
    }
  }
}

function addStatistics(summary: CaptureSummary, statistics: InterfaceStatistics): void {
  const entry = summary.interfaces[statistics.interfaceId];
  if (entry === undefined) return;
  if (statistics.received !== undefined) entry.received = statistics.received;
  if (statistics.dropped !== undefined) entry.dropped = statistics.dropped;
}
