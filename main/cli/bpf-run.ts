/** `stackscope bpf run`: which packets of a capture a filter expression accepts, and those packets as a capture of their own. */
import { Command } from 'commander';
import { ConversionError, convertCapture } from '../capture/convert.ts';
import { linkTypeName } from '../capture/link-type.ts';
import { PacketFilter } from '../capture/packet-filter.ts';
import type { CaptureProblem } from '../capture/packet.ts';
import { captureRecords } from '../capture/read.ts';
import { failureOfFilter } from './bpf-filter.ts';
import { EXIT_FAILED, EXIT_USAGE, Failure, messageOf, usageFailure } from './failure.ts';
import { formatOfName, isSameFile, writeOutput } from './output-file.ts';
import { packetLine } from './packet-line.ts';
import { print } from './print.ts';

export function runCommand(): Command {
  return new Command('run')
    .description('print the packets of a capture that an expression accepts, and how many they are')
    .argument('<expression>', 'filter expression')
    .argument('<file>', 'capture file (pcap, pcapng, gzip of either)')
    .option('-w, --write <file>', 'write the accepted packets to a capture file, too')
    .action(async (expression: string, file: string, options: { write?: string }) => {
      try {
        await run(expression, file);
        if (options.write !== undefined) await write(expression, file, options.write);
      } catch (error) {
        throw failureOfFilter(error);
      }
    });
}

/** What a run has counted. */
interface Tally {
  packets: number;
  accepted: number;
  acceptedBytes: number;
  /** Packets of link types that filters do not know. */
  readonly unknown: Map<number, number>;
}

async function run(expression: string, file: string): Promise<void> {
  const filter = new PacketFilter(expression);
  const tally: Tally = { packets: 0, accepted: 0, acceptedBytes: 0, unknown: new Map() };
  let first: bigint | undefined;
  for await (const record of captureRecords(file)) {
    filter.observe(record);
    if (record.kind === 'problem') report(file, record.problem);
    if (record.kind !== 'packet') continue;
    const { packet } = record;
    tally.packets++;
    if (packet.untimed !== true) first ??= packet.time;
    const linkType = filter.linkTypeOf(packet);
    const accepted = filter.accepts(packet);
    if (accepted === undefined) tally.unknown.set(linkType, (tally.unknown.get(linkType) ?? 0) + 1);
    if (accepted !== true) continue;
    tally.accepted++;
    tally.acceptedBytes += packet.originalLength;
    await print(packetLine(tally.packets, packet, linkType, first ?? 0n));
  }
  await print(`${tally.accepted} of ${tally.packets} packets accepted, ${tally.acceptedBytes} bytes`);
  for (const [linkType, count] of tally.unknown)
    await print(
      `${count} packets not looked at: there are no filters for link type ${linkTypeName(linkType)}`,
    );
}

/** Files that cannot be read at all end the verb; those that can be read in part are read so. */
function report(file: string, { code, offset, message }: CaptureProblem): void {
  const where = offset === 0 ? '' : ` at byte ${offset}`;
  const text = `stackscope bpf: ${file}${where}: ${message}`;
  if (code === 'not-a-capture' || code === 'unreadable') throw usageFailure(text);
  process.stderr.write(`${text}\n`);
  process.exitCode = EXIT_FAILED;
}

async function write(expression: string, file: string, output: string): Promise<void> {
  if (isSameFile(file, output)) throw usageFailure(`stackscope bpf: ${file} and ${output} are the same file`);
  const filter = new PacketFilter(expression);
  try {
    await writeOutput(output, async (sink) => {
      await convertCapture(file, sink, formatOfName(output), (record) => {
        filter.observe(record);
        return record.kind !== 'packet' || filter.accepts(record.packet) === true;
      });
    });
  } catch (error) {
    if (error instanceof ConversionError)
      throw new Failure(`stackscope bpf: ${file}: ${error.message}`, EXIT_FAILED);
    throw new Failure(`stackscope bpf: cannot write ${output}: ${messageOf(error)}`, EXIT_USAGE);
  }
}
