/** `stackscope bpf explain`: what the program of a filter expression does with one packet, instruction by instruction. */
import { Command, InvalidArgumentError } from 'commander';
import { linkTypeName } from '../capture/link-type.ts';
import { PacketFilter } from '../capture/packet-filter.ts';
import type { CapturedPacket } from '../capture/packet.ts';
import { captureRecords } from '../capture/read.ts';
import { trace } from '../../stack/filter/bpf/interpreter.ts';
import type { BpfStep } from '../../stack/filter/bpf/interpreter.ts';
import { listingLine } from '../../stack/filter/bpf/listing.ts';
import { failureOfFilter } from './bpf-filter.ts';
import { usageFailure } from './failure.ts';
import { packetLine } from './packet-line.ts';
import { print } from './print.ts';

export function explainCommand(): Command {
  return new Command('explain')
    .description('show step by step what the program of an expression does with one packet of a capture')
    .argument('<expression>', 'filter expression')
    .argument('<number>', 'number of the packet, from 1', parsePacketNumber)
    .requiredOption('--in <capture>', 'capture file (pcap, pcapng, gzip of either)')
    .action(async (expression: string, number: number, options: { in: string }) => {
      try {
        await explain(expression, options.in, number);
      } catch (error) {
        throw failureOfFilter(error);
      }
    });
}

function parsePacketNumber(text: string): number {
  if (!/^[1-9][0-9]*$/.test(text)) throw new InvalidArgumentError('It must be a whole number, 1 or more.');
  return Number(text);
}

async function explain(expression: string, file: string, number: number): Promise<void> {
  const filter = new PacketFilter(expression);
  const packet = await packetOf(file, number, filter);
  const linkType = filter.linkTypeOf(packet);
  const program = filter.program(linkType);
  if (program === undefined)
    throw usageFailure(
      `stackscope bpf: ${file}: there are no filters for packets of link type ${linkTypeName(linkType)}`,
    );
  await print(packetLine(number, packet, linkType, packet.time));
  await print('');
  let result = 0;
  for (const step of trace(program, packet.data, packet.originalLength)) {
    for (const line of stepLines(step)) await print(line);
    result = step.result ?? 0;
  }
  await print('');
  await print(verdict(result, packet));
}

/** A packet by its number. */
async function packetOf(file: string, number: number, filter: PacketFilter): Promise<CapturedPacket> {
  let count = 0;
  let problem: string | undefined;
  for await (const record of captureRecords(file)) {
    filter.observe(record);
    if (record.kind === 'problem') problem ??= record.problem.message;
    if (record.kind === 'packet' && ++count === number) return record.packet;
  }
  const why = problem === undefined ? `it has ${count} packets` : problem;
  throw usageFailure(`stackscope bpf: there is no packet ${number} in ${file}: ${why}`);
}

/** Where what a step did is written beside its instruction. */
const EFFECT_COLUMN = 50;

function stepLines(step: BpfStep): string[] {
  const line = listingLine(step.instruction, step.pc).replace('\t', '  ').trimEnd();
  return [`${line.padEnd(EFFECT_COLUMN)} ${effect(step)}`.trimEnd()];
}

/** What a step did, in words and numbers. */
function effect({ loaded, branch, result, a, x, scratch, instruction, pc }: BpfStep): string {
  if (loaded !== undefined && loaded.value === undefined)
    return `bytes ${loaded.offset} to ${loaded.offset + loaded.size - 1} were not captured: the packet is rejected`;
  const registers = [`A=${hexadecimal(a)}`, `X=${hexadecimal(x)}`, ...scratchTexts(scratch)].join(' ');
  if (loaded !== undefined) return `${loadText(loaded)}  ${registers}`;
  if (branch !== undefined) {
    const target = pc + 1 + (branch ? instruction.jt : instruction.jf);
    return `${branch ? 'yes' : 'no'}, on to ${target}  ${registers}`;
  }
  return result === undefined ? registers : `returns ${result}`;
}

function loadText({ offset, size, value = 0 }: NonNullable<BpfStep['loaded']>): string {
  const where = size === 1 ? `byte ${offset}` : `bytes ${offset} to ${offset + size - 1}`;
  return `${where}: ${value.toString(16).padStart(2 * size, '0')}`;
}

function scratchTexts(scratch: readonly number[]): string[] {
  return scratch.flatMap((value, word) => (value === 0 ? [] : [`M[${word}]=${hexadecimal(value)}`]));
}

function hexadecimal(value: number): string {
  return `0x${value.toString(16)}`;
}

function verdict(result: number, { data }: CapturedPacket): string {
  if (result === 0) return 'rejected';
  const kept = Math.min(result, data.length);
  return `accepted, with ${kept === data.length ? `all ${kept}` : `the first ${kept}`} captured bytes`;
}
