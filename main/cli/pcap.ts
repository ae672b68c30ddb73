/** `stackscope pcap`: what is in capture files, and conversion between their formats. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { ConversionError, convertCapture } from '../capture/convert.ts';
import type { OutputFormat } from '../capture/convert.ts';
import type { CaptureInterface, CaptureProblem } from '../capture/packet.ts';
import { captureRecords } from '../capture/read.ts';
import { linkTypesOf, summarizeCapture } from '../capture/summary.ts';
import type { CaptureSummary } from '../capture/summary.ts';
import { isoTime, secondsText } from '../capture/time-text.ts';
import { EXIT_FAILED, EXIT_USAGE, exitOnMisuse, messageOf } from './failure.ts';
import { packetJson, packetLine } from './packet-line.ts';
import { formatOfName, isSameFile, writeOutput } from './output-file.ts';
import { journeyCommand } from './pcap-journey.ts';
import { print, visible } from './print.ts';
import { replayCommand } from './replay.ts';

/** The file could be read only partly, or not converted. */
const EXIT_PARTIAL = EXIT_FAILED;

/** The `pcap` command with its verbs, each a subcommand; further verbs are added with `addCommand`. */
export function pcapCommand(): Command {
  const command = new Command('pcap').description(
    'look into capture files (pcap, pcapng, gzip of either), convert them, replay them into a lab',
  );
  for (const verb of [infoCommand(), listCommand(), journeyCommand(), convertCommand(), replayCommand()])
    command.addCommand(verb);
  return exitOnMisuse(command);
}

function infoCommand(): Command {
  return new Command('info')
    .description('summarize capture files: packets, bytes, times, interfaces, problems')
    .argument('<file...>', 'capture files')
    .option('--json', 'print one JSON object per file')
    .action(async (files: string[], options: { json?: true }) => {
      for (const file of files) await printInfo(file, options.json === true);
    });
}

function listCommand(): Command {
  return new Command('list')
    .description('print one line per packet: number, time, source, destination, protocol, length, info')
    .argument('<file>', 'capture file')
    .option('-n, --limit <count>', 'stop after this many packets', parseCount)
    .option('--json', 'print one JSON object per packet')
    .action((file: string, options: { limit?: number; json?: true }) =>
      listPackets(file, options.limit ?? Infinity, options.json === true),
    );
}

function convertCommand(): Command {
  return new Command('convert')
    .description('write a capture in another format; to pcapng nothing is lost')
    .argument('<in>', 'capture file to read')
    .argument('<out>', 'file to write')
    .addOption(
      new Option('--format <format>', 'output format (default: by the extension of OUT)').choices([
        'pcap',
        'pcapng',
        'pcap-ns',
      ]),
    )
    .action((input: string, output: string, options: { format?: OutputFormat }) =>
      convert(input, output, options.format ?? formatOfName(output)),
    );
}

function parseCount(text: string): number {
  if (!/^[0-9]+$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 0 or more.');
  return Number(text);
}

/** Tells the user about a problem and raises the exit status accordingly. */
function report(file: string, problem: CaptureProblem): void {
  const where = problem.offset === 0 ? '' : ` at byte ${problem.offset}`;
  complain(`${file}${where}: ${problem.message}`, exitStatus(problem));
}

function exitStatus({ code }: CaptureProblem): number {
  return code === 'not-a-capture' || code === 'unreadable' ? EXIT_USAGE : EXIT_PARTIAL;
}

function complain(message: string, status: number): void {
  process.stderr.write(`stackscope pcap: ${message}\n`);
  process.exitCode = Math.max(status, Number(process.exitCode ?? 0));
}

async function printInfo(file: string, json: boolean): Promise<void> {
  const summary = await summarizeCapture(file);
  for (const problem of summary.problems) report(file, problem);
  if (summary.problems.some((problem) => exitStatus(problem) === EXIT_USAGE) && summary.packets === 0) return;
  await print(json ? JSON.stringify(infoObject(file, summary)) : infoText(file, summary));
}

function infoObject(file: string, summary: CaptureSummary): object {
  return {
    file,
    format: summary.format,
    packets: summary.packets,
    bytes: summary.bytes,
    capturedBytes: summary.capturedBytes,
    start: summary.start === undefined ? null : isoTime(summary.start),
    end: summary.end === undefined ? null : isoTime(summary.end),
    interfaces: summary.interfaces.map((entry) => ({
      ...entry,
      ...(entry.received === undefined ? {} : { received: Number(entry.received) }),
      ...(entry.dropped === undefined ? {} : { dropped: Number(entry.dropped) }),
    })),
    linkTypes: linkTypesOf(summary),
    journeys: summary.journeys,
    comments: summary.comments,
    truncated: summary.truncated,
    problems: summary.problems,
  };
}

function infoText(file: string, summary: CaptureSummary): string {
  const { start, end } = summary;
  const rows: (readonly [string, string])[] = [
    ['file', file],
    ['format', summary.format],
    ['packets', String(summary.packets)],
    ['bytes', `${summary.bytes} on the wire, ${summary.capturedBytes} captured`],
    ['start', start === undefined ? '-' : isoTime(start)],
    ['end', end === undefined ? '-' : isoTime(end)],
    ['duration', start === undefined || end === undefined ? '-' : `${secondsText(end - start)} s`],
    ['link types', linkTypesOf(summary).join(', ')],
    ['truncated', summary.truncated ? 'yes' : 'no'],
    ...(summary.journeys === 0 ? [] : [['journeys', journeysText(summary)] as const]),
    ...summary.comments.map((comment) => ['comment', comment] as const),
    ...summary.interfaces.map((entry, id) => {
      const counts = [
        `${entry.packets} packets`,
        ...(entry.received === undefined ? [] : [`${entry.received} received`]),
        ...(entry.dropped === undefined ? [] : [`${entry.dropped} dropped`]),
      ];
      const name = entry.name === '' ? '(unnamed)' : entry.name;
      return [`interface ${id}`, `${name}, ${entry.linkType}, ${counts.join(', ')}`] as const;
    }),
  ];
  return rows.map(([key, value]) => `${`${key}:`.padEnd(14)}${visible(value)}`).join('\n');
}

function journeysText({ journeys, stations, stationsLost }: CaptureSummary): string {
  const lost = stationsLost === 0 ? '' : `, ${stationsLost} stations lost`;
  return `${journeys}, ${stations} stations${lost}`;
}

async function listPackets(file: string, limit: number, json: boolean): Promise<void> {
  const interfaces: CaptureInterface[] = [];
  let first: bigint | undefined;
  let number = 0;
  for await (const record of captureRecords(file)) {
    if (record.kind === 'interface') interfaces.push(record.interface);
    else if (record.kind === 'problem') report(file, record.problem);
    else if (record.kind === 'packet') {
      if (number >= limit) return;
      number++;
      const { packet } = record;
      if (packet.untimed !== true) first ??= packet.time;
      const linkType = interfaces[packet.interfaceId]?.linkType ?? 0;
      await print(
        json ? packetJson(number, packet, linkType) : packetLine(number, packet, linkType, first ?? 0n),
      );
    }
  }
}

async function convert(input: string, output: string, format: OutputFormat): Promise<void> {
  const probe = await firstProblem(input);
  if (probe !== undefined && exitStatus(probe) === EXIT_USAGE) return report(input, probe);
  if (isSameFile(input, output)) return complain(`${input} and ${output} are the same file`, EXIT_USAGE);
  try {
    await writeOutput(output, async (sink) => {
      const { problems } = await convertCapture(input, sink, format);
      for (const problem of problems) report(input, problem);
    });
  } catch (error) {
    if (error instanceof ConversionError) complain(`${input}: ${error.message}`, EXIT_PARTIAL);
    else complain(`cannot write ${output}: ${messageOf(error)}`, EXIT_USAGE);
  }
}

/** The problem a file begins with, so that nothing is overwritten for the sake of a file that is no capture. */
async function firstProblem(input: string): Promise<CaptureProblem | undefined> {
  for await (const record of captureRecords(input)) {
    return record.kind === 'problem' ? record.problem : undefined;
  }
  return undefined;
}
