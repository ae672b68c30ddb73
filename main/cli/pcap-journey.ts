/**
 * `stackscope pcap journey`: the stations that one packet of a capture passed, in every node.
 */
import { Command, InvalidArgumentError } from 'commander';
import { dissect } from '../capture/dissect/dissect.ts';
import { decodeJourneyBlock, journeyOf } from '../capture/journey.ts';
import type { JourneyStation } from '../capture/journey.ts';
import { captureRecords } from '../capture/read.ts';
import { isoTime, secondsText } from '../capture/time-text.ts';
import { EXIT_FAILED, Failure, usageFailure } from './failure.ts';
import { print, visible } from './print.ts';

const HELP = `
The number of a packet is that of pcap list. Only packets that were followed have a journey: run the lab with --journey.
Times are seconds since the first station. Thread 0 runs the programs and, in virtual time, everything. A buffer that
changes its handle was copied, or got a new first part.

With --json there is one object per station: {time, ns, thread, node, place, station, text, buffer}; ns counts from the
first station, and node is null on a link.

Exit status: 1 if the file has no journey of this packet; 2 if there is no such packet, or the file is no capture.

Example:
  stackscope run two-nodes.lab.yaml --time virtual --exec 'alpha: ping -c 1 10.0.0.2' \\
      --journey icmp -w out.pcapng
  stackscope pcap journey out.pcapng 5`;

/** The `pcap journey` verb. */
export function journeyCommand(): Command {
  return new Command('journey')
    .description('print the stations that a packet passed on its way through the lab, in every node')
    .argument('<file>', 'pcapng file that run wrote with --journey')
    .argument('<number>', 'number of the packet, from 1', parseNumber)
    .option('--json', 'print one JSON object per station')
    .addHelpText('after', HELP)
    .action((file: string, number: number, options: { json?: true }) =>
      printJourney(file, number, options.json === true),
    );
}

function parseNumber(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number, 1 or more.');
}

/** The packet, and where in the file its journey is. */
interface Located {
  readonly number: number;
  /** The packet in one line. */
  readonly text: string;
  /** 0: not followed. */
  readonly journey: number;
  /** Which section it is in, from 1: journeys have numbers of their own in each. */
  readonly section: number;
}

interface Journey {
  readonly stations: readonly JourneyStation[];
  /** Stations of the run that nobody had room to note. */
  readonly lost: number;
}

async function printJourney(file: string, number: number, json: boolean): Promise<void> {
  const located = await locate(file, number);
  const journey = await collect(file, located);
  const lines = json ? journey.stations.map((one) => jsonLine(one, journey)) : table(located, journey);
  for (const line of lines) await print(line);
  if (journey.lost > 0) {
    const text = `${journey.lost} stations of this run were lost, because they came faster than they could be read`;
    process.stderr.write(`stackscope pcap: ${file}: ${text}\n`);
  }
}

/** Finds the packet. Throws a Failure if there is none. */
async function locate(file: string, number: number): Promise<Located> {
  const linkTypes: number[] = [];
  let packets = 0;
  let section = 0;
  let littleEndian = true;
  let problem = '';
  for await (const record of captureRecords(file)) {
    if (record.kind === 'section') {
      section++;
      littleEndian = record.section.littleEndian;
    } else if (record.kind === 'interface') linkTypes.push(record.interface.linkType);
    else if (record.kind === 'problem') problem = record.problem.message;
    else if (record.kind === 'packet' && ++packets === number) {
      const { packet } = record;
      const { columns } = dissect(packet.data, linkTypes[packet.interfaceId] ?? 0);
      const text = `${columns.source} > ${columns.destination}  ${columns.protocol}  ${columns.info}`;
      return { number, text, journey: journeyOf(packet, littleEndian), section };
    }
  }
  if (packets === 0 && problem !== '') throw usageFailure(`stackscope pcap: ${file}: ${problem}`);
  const last = packets === 0 ? 'it has none' : `its last is ${packets}`;
  throw usageFailure(`stackscope pcap: ${file}: there is no packet ${number}; ${last}`);
}

/** Reads the stations of a packet. Throws a Failure if it was not followed. */
async function collect(file: string, { number, journey, section }: Located): Promise<Journey> {
  const stations: JourneyStation[] = [];
  let lost = 0;
  let any = false;
  let current = 0;
  let littleEndian = true;
  for await (const record of captureRecords(file)) {
    if (record.kind === 'section') {
      current++;
      littleEndian = record.section.littleEndian;
    }
    const block = record.kind === 'block' ? decodeJourneyBlock(record.block, littleEndian) : undefined;
    if (block === undefined) continue;
    any = true;
    if (current !== section) continue;
    if (typeof block === 'string')
      throw new Failure(`stackscope pcap: ${file}: a block of journeys is damaged: ${block}`, EXIT_FAILED);
    lost = block.lost;
    if (journey !== 0) stations.push(...block.stations.filter((one) => one.journey === journey));
  }
  if (stations.length > 0) return { stations, lost };
  const why = any
    ? `packet ${number} was not followed; --journey of its run chose others`
    : 'it holds no journeys; run the lab with --journey all';
  throw new Failure(`stackscope pcap: ${file}: ${why}`, EXIT_FAILED);
}

/** Handles are addresses in the one memory, which is smaller than 4 GiB. */
function handle(buffer: number): string {
  return `0x${buffer.toString(16).padStart(8, '0')}`;
}

function jsonLine(one: JourneyStation, { stations }: Journey): string {
  const { time, thread, place, station, text } = one;
  return JSON.stringify({
    time: isoTime(time),
    ns: Number(time - stations[0]!.time),
    thread,
    node: one.node === '' ? null : one.node,
    place,
    station,
    text,
    buffer: handle(one.buffer),
  });
}

const HEADINGS = ['time', 'thread', 'place', 'station', 'buffer', ''];

function table({ number, text, journey }: Located, { stations }: Journey): string[] {
  const rows = stations.map((one) => [
    secondsText(one.time - stations[0]!.time),
    String(one.thread),
    placeText(one),
    visible(one.station),
    handle(one.buffer),
    visible(one.text),
  ]);
  const widths = HEADINGS.map((heading, column) =>
    rows.reduce((most, row) => Math.max(most, row[column]!.length), heading.length),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd();
  return [
    `packet ${number}, journey ${journey}: ${visible(text)}`,
    line(HEADINGS),
    ...rows.map((row) => line(row)),
  ];
}

/** A place that does not name its node, such as a socket, with its node. */
function placeText({ node, place }: JourneyStation): string {
  return visible(node === '' || place.startsWith(node) ? place : `${node} ${place}`);
}
