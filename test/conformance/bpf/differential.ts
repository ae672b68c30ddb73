/**
 * The compiler of the BPF filter language next to the one that tcpdump has on this machine: both accept an expression or both refuse it, and their programs do the same over packets. What
 * differs because of the version of libpcap is told apart.
 */
import { spawn } from 'node:child_process';
import type { BpfProgram } from '../../../stack/filter/bpf/instruction.ts';
import { compileFilter } from '../../../stack/filter/bpf/language/compile.ts';
import { FILTER_LINK_TYPES } from '../../../stack/filter/bpf/language/link-state.ts';
import { readDecimalListing } from '../../../stack/filter/bpf/listing-reader.ts';
import { programDifference } from '../../support/bpf-difference.ts';
import { ExpressionWriter } from '../../support/bpf-expressions.ts';
import { generatedPackets, seededRandom } from '../../support/bpf-packets.ts';
import type { FilterPacket, Random } from '../../support/bpf-packets.ts';

/** How an expression came out. */
export type Comparison =
  | { readonly kind: 'same'; readonly accepted: boolean; readonly lengths: readonly [number, number] }
  /** Different for a known reason. */
  | { readonly kind: 'explained'; readonly reason: string }
  | {
      readonly kind: 'different';
      readonly linkType: string;
      readonly expression: string;
      readonly how: string;
    };

/** Compares both compilers over expressions that follow from a seed; `onResult` gets every one. */
export async function compareWithTcpdump(
  count: number,
  seed: number,
  onResult: (comparison: Comparison) => void,
): Promise<void> {
  const linkTypes = [...FILTER_LINK_TYPES];
  const packets = new Map(
    linkTypes.map(
      ([number]) => [number, generatedPackets(number, 150, seededRandom(seed + number))] as const,
    ),
  );
  let started = 0;
  const work = async (): Promise<void> => {
    while (started < count) {
      // Each expression has a seed of its own, so that one can be repeated without those before it.
      const random = seededRandom(Math.imul(seed, 0x10001) + started++);
      // Half of all expressions are for Ethernet, which has the most to say.
      const [number, name] = linkTypes[random(2) === 0 ? 1 : random(linkTypes.length)] ?? [1, 'EN10MB'];
      const expression = new ExpressionWriter(number, random).expression();
      onResult(await compare(number, name, expression, packets.get(number) ?? [], random));
    }
  };
  await Promise.all([work(), work()]);
}

async function compare(
  linkType: number,
  name: string,
  expression: string,
  packets: readonly FilterPacket[],
  random: Random,
): Promise<Comparison> {
  const seed = random(2 ** 31);
  const theirs = await tcpdump(name, expression);
  // tcpdump takes the netmask to be 0 when it only shows a program.
  const ours = compileFilter(expression, { linkType, netmask: 0 });
  const different = (how: string): Comparison => ({ kind: 'different', linkType: name, expression, how });
  if ('error' in ours) {
    if (typeof theirs === 'string') return { kind: 'same', accepted: false, lengths: [0, 0] };
    if (rejectsAll(ours.error.message, theirs, packets)) return { kind: 'explained', reason: REJECTS_ALL };
    return explained(NEWER_REFUSALS, ours.error.message) ?? different(`refused here: ${ours.error.message}`);
  }
  if (typeof theirs === 'string')
    return (
      explained(OLDER_REFUSALS, theirs) ??
      explained(OTHER_PROGRAMS, expression) ??
      different(`refused there: ${theirs}`)
    );
  const difference = programDifference(ours.program, theirs, packets, seed);
  if (difference === undefined)
    return { kind: 'same', accepted: true, lengths: [ours.program.length, theirs.length] };
  const reason = await otherProgram(
    name,
    expression,
    ours.program,
    theirs,
    difference.onlyShort,
    packets,
    seed,
  );
  if (reason !== undefined) return { kind: 'explained', reason };
  const [here, there] = difference.results;
  const bytes = Buffer.from(difference.packet.bytes).toString('hex');
  return different(`${here} here and ${there} there for packet ${bytes}`);
}

/** Why libpcap 1.10 makes a program that does something else, if that is known. */
async function otherProgram(
  linkType: string,
  expression: string,
  ours: BpfProgram,
  theirs: BpfProgram,
  onlyShort: boolean,
  packets: readonly FilterPacket[],
  seed: number,
): Promise<string | undefined> {
  if (onlyShort) return READS_IN_OTHER_ORDER;
  const known = explained(OTHER_PROGRAMS, expression);
  if (known !== undefined) return known.reason;
  if (linkType === 'SLIP' && theirs.some(({ code, k }) => code === LOAD_BYTE && k === 0)) return SLIP_VERSION;
  if (overwritesHeaderLength(theirs)) return OVERWRITTEN;
  if (linkType === 'PFLOG' && /geneve|pppoes/.test(expression)) return MISLAID;
  if (linkType === 'IEEE802_11' && expression.includes('geneve')) return MISLAID;
  const plain = await tcpdump(linkType, expression, '-O');
  if (typeof plain === 'string') return undefined;
  if (overwritesHeaderLength(plain)) return OVERWRITTEN;
  if (programDifference(ours, plain, packets, seed)?.onlyShort === false) return undefined;
  return OPTIMIZER;
}

const LOAD_BYTE = 0x30;
const STORE = 0x02;

/** Whether a program sets the scratch word with the length of the link-layer header again behind where it was computed. */
function overwritesHeaderLength(program: BpfProgram): boolean {
  const first = program.findIndex(({ code }) => code === STORE);
  const word = program[first]?.k;
  if (first !== 3) return false;
  // IEEE 802.11 sets it twice: with 24, then with 26 for some frames.
  const rest = program[0]?.code === LOAD_BYTE ? first + 1 : first + 8;
  return program.slice(rest).some(({ code, k }) => code === STORE && k === word);
}

const READS_IN_OTHER_ORDER =
  'a packet too short for what one program reads and the other does not, or not yet';
const OVERWRITTEN = 'libpcap overwrites the scratch word that holds the length of the link-layer header';
const MISLAID =
  'libpcap looks for the length of a varying link-layer header in another scratch word than it put it in, if there is `geneve` or, for pflog, `pppoes`';
const OPTIMIZER = 'the optimizer of libpcap before 1.10.5 changes what the program does';
const REJECTS_ALL = 'an expression that rejects every packet is noticed by one optimizer only';

function rejectsAll(message: string, program: BpfProgram, packets: readonly FilterPacket[]): boolean {
  if (!message.includes('rejects all packets')) return false;
  return programDifference([{ code: 6, jt: 0, jf: 0, k: 0 }], program, packets, 1) === undefined;
}

/** Refusals of libpcap later than 1.10, which are refusals here, too. */
const NEWER_REFUSALS: readonly (readonly [RegExp, string])[] = [
  [/not a live capture/, 'Linux lets its own kernel tell inbound from outbound packets'],
  [/greater than maximum/, 'libpcap before 1.11 takes numbers beyond the range of their fields'],
  [/by zero/, 'a division by a constant zero that libpcap leaves out with what it stands in'],
  [/invalid DECnet address/, 'libpcap before 1.11 takes DECnet addresses that do not exist'],
];

/** Refusals of libpcap 1.10 that later ones have given up. */
const OLDER_REFUSALS: readonly (readonly [RegExp, string])[] = [
  [
    /division by zero|modulus by zero|shift by more than 31 bits/,
    'libpcap takes the offset in the right operand, as in `1 / ip[0]`, for the operand',
  ],
];

/** Expressions for which libpcap 1.10 makes another program than later ones. */
const OTHER_PROGRAMS: readonly (readonly [RegExp, string])[] = [
  [/byte \d+ [&|]/, 'libpcap 1.10 forgets to load the byte for `byte N &` and `byte N |`'],
  [
    /isis proto|\b(l1|l2|iih|lsp|snp|csnp|psnp)\b/,
    'libpcap 1.10 compares PDU types of IS-IS with their reserved bits',
  ],
];
const SLIP_VERSION = 'libpcap 1.10 looks for the version of IP in the header of SLIP';

function explained(
  reasons: readonly (readonly [RegExp, string])[],
  message: string,
): Extract<Comparison, { kind: 'explained' }> | undefined {
  const found = reasons.find(([pattern]) => pattern.test(message));
  return found === undefined ? undefined : { kind: 'explained', reason: found[1] };
}

/** The program of tcpdump, or its complaint. */
async function tcpdump(
  linkType: string,
  expression: string,
  ...flags: readonly string[]
): Promise<BpfProgram | string> {
  const { output, errors } = await run('tcpdump', ['-ddd', ...flags, '-y', linkType, '--', expression]);
  if (output === '') return errors.replace(/^Warning:.*\n/m, '').trim();
  const read = readDecimalListing(output);
  if ('fault' in read)
    throw new Error(`tcpdump printed something else than a program: ${read.fault.message}`);
  return read.program;
}

function run(command: string, words: readonly string[]): Promise<{ output: string; errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { stdio: ['ignore', 'pipe', 'pipe'] });
    const texts = { output: '', errors: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (texts.output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (texts.errors += text));
    child.on('error', reject);
    child.on('close', () => {
      resolve(texts);
    });
  });
}
