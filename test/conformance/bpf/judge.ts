/** Judges the compiler of the BPF filter language by published cases: what it accepts packets with, what its programs do next to the reference programs, what it refuses. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readCapture } from '../../../main/capture/read.ts';
import { linkTypeName } from '../../../main/capture/link-type.ts';
import { compileFilter } from '../../../stack/filter/bpf/language/compile.ts';
import type { FilterOptions } from '../../../stack/filter/bpf/language/compile.ts';
import { FILTER_LINK_TYPES } from '../../../stack/filter/bpf/language/link-state.ts';
import { interpret } from '../../../stack/filter/bpf/interpreter.ts';
import { listing } from '../../../stack/filter/bpf/listing.ts';
import { readListing } from '../../../stack/filter/bpf/listing-reader.ts';
import { generatedPackets, seededRandom } from '../../support/bpf-packets.ts';
import type { FilterPacket } from '../../support/bpf-packets.ts';
import { programDifference } from '../../support/bpf-difference.ts';
import { readCases } from './cases.ts';
import type { AcceptCase, ApplyCase, RejectCase } from './cases.ts';

export type Group = 'apply' | 'accept' | 'reject';

export interface Verdict {
  readonly group: Group;
  readonly name: string;
  readonly result: 'pass' | 'fail' | 'skip';
  /** Why it failed or was skipped; empty for a pass. */
  readonly reason: string;
}

/** LINKTYPE numbers of files that stand for other DLT numbers. */
const LINKTYPE_RAW = 101;
const DLT_RAW = 12;
const GENERATED_PACKETS = 400;

/** A capture: packets of one link type. */
interface Corpus {
  readonly linkType: number;
  readonly snaplen: number;
  readonly packets: readonly FilterPacket[];
}

/** Judges all cases of a folder. */
export async function judge(folder: string): Promise<Verdict[]> {
  const cases = readCases(folder);
  const captures = await readCaptures(join(folder, 'captures'));
  const packetsOf = corpora(captures);
  return [
    ...cases.apply.map((entry) => verdict('apply', entry.name, judgeApply(entry, captures))),
    ...cases.accept.map((entry) => verdict('accept', entry.name, judgeAccept(entry, packetsOf))),
    ...cases.reject.map((entry) => verdict('reject', entry.name, judgeReject(entry))),
  ];
}

/** Nothing for a pass, otherwise why not. */
type Outcome = { readonly fail: string } | { readonly skip: string } | undefined;

function verdict(group: Group, name: string, outcome: Outcome): Verdict {
  if (outcome === undefined) return { group, name, result: 'pass', reason: '' };
  if ('skip' in outcome) return { group, name, result: 'skip', reason: outcome.skip };
  return { group, name, result: 'fail', reason: outcome.fail };
}

async function readCaptures(folder: string): Promise<Map<string, Corpus>> {
  const captures = new Map<string, Corpus>();
  for (const name of readdirSync(folder)) {
    const { interfaces, packets } = await readCapture(join(folder, name));
    const [first] = interfaces;
    if (first === undefined) continue;
    const linkType = first.linkType === LINKTYPE_RAW ? DLT_RAW : first.linkType;
    captures.set(name, {
      linkType,
      snaplen: first.snapLen,
      packets: packets.map(({ data, originalLength }) => ({ bytes: data, wireLength: originalLength })),
    });
  }
  return captures;
}

/** For each link type the packets of its captures, and some made for it. */
function corpora(captures: ReadonlyMap<string, Corpus>): (linkType: number) => readonly FilterPacket[] {
  const known = new Map<number, readonly FilterPacket[]>();
  return (linkType) => {
    const existing = known.get(linkType);
    if (existing !== undefined) return existing;
    const captured = [...captures.values()].filter((corpus) => corpus.linkType === linkType);
    const made = generatedPackets(linkType, GENERATED_PACKETS, seededRandom(linkType + 1));
    const packets = [...captured.flatMap((corpus) => corpus.packets), ...made];
    known.set(linkType, packets);
    return packets;
  };
}

function judgeApply(entry: ApplyCase, captures: ReadonlyMap<string, Corpus>): Outcome {
  const corpus = captures.get(entry.capture);
  if (corpus === undefined) return { skip: `the capture ${entry.capture} could not be read` };
  const { linkType } = corpus;
  if (!FILTER_LINK_TYPES.has(linkType)) return { skip: otherLinkType(linkTypeName(linkType)) };
  const accepted = entry.results.find((result) => result !== 0);
  const snaplen = accepted ?? corpus.snaplen;
  const compiled = compileFilter(entry.expr, { linkType, snaplen, ...netmaskOption(entry.netmask) });
  if ('error' in compiled) {
    const message = compiled.error.message;
    const expected = entry.results.every((result) => result === 0) && message.includes('rejects all packets');
    return expected ? undefined : { fail: `refused: ${message}` };
  }
  const results = corpus.packets.map(({ bytes, wireLength }) =>
    interpret(compiled.program, bytes, wireLength),
  );
  const wrong = entry.results.findIndex((result, index) => results[index] !== result);
  if (results.length < entry.results.length)
    return { fail: `the capture has only ${results.length} packets` };
  if (wrong < 0) return undefined;
  return { fail: `packet ${wrong + 1}: ${results[wrong]} instead of ${entry.results[wrong]}` };
}

function judgeAccept(entry: AcceptCase, packetsOf: (linkType: number) => readonly FilterPacket[]): Outcome {
  const linkType = linkTypeOf(entry.dlt);
  if (linkType === undefined) return { skip: otherLinkType(entry.dlt) };
  const reference = readListing(entry.program);
  if ('fault' in reference)
    return { fail: `line ${reference.fault.line} of the reference program: ${reference.fault.message}` };
  const snaplen = entry.snaplen === undefined ? {} : { snaplen: entry.snaplen };
  const options: FilterOptions = { linkType, ...snaplen, ...netmaskOption(entry.netmask) };
  const compiled = compileFilter(entry.expr, options);
  if ('error' in compiled) return { fail: `refused: ${compiled.error.message}` };
  const seed = compiled.program.length;
  const difference = programDifference(compiled.program, reference.program, packetsOf(linkType), seed);
  if (difference === undefined) return undefined;
  const [ours, theirs] = difference.results;
  const hex = Buffer.from(difference.packet.bytes).toString('hex');
  return { fail: `${ours} instead of ${theirs} for ${hex}; program:\n${listing(compiled.program)}` };
}

function judgeReject(entry: RejectCase): Outcome {
  const linkType = linkTypeOf(entry.dlt);
  if (linkType === undefined) return { skip: otherLinkType(entry.dlt) };
  const compiled = compileFilter(entry.expr, { linkType });
  return 'error' in compiled ? undefined : { fail: `accepted; it should say: ${entry.error}` };
}

function linkTypeOf(name: string): number | undefined {
  for (const [number, known] of FILTER_LINK_TYPES) if (known === name) return number;
  return undefined;
}

function otherLinkType(name: string): string {
  return `there are no filters for link type ${name}`;
}

function netmaskOption(text: string | undefined): { netmask?: number } {
  if (text === undefined) return {};
  return { netmask: text.split('.').reduce((mask, part) => mask * 256 + Number(part), 0) };
}

/** How many cases of a group passed, of those that were not skipped. */
export function totals(verdicts: readonly Verdict[], group: Group): string {
  const own = verdicts.filter((entry) => entry.group === group);
  const count = (result: Verdict['result']): number => own.filter((entry) => entry.result === result).length;
  const judged = own.length - count('skip');
  const share = judged === 0 ? 100 : (100 * count('pass')) / judged;
  return `${group}: ${count('pass')} of ${judged} pass (${share.toFixed(1)} %), ${count('skip')} skipped`;
}
