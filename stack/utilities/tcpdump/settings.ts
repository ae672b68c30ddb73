/**
 * The options of tcpdump(8), read.
 */
import { UsageError } from '../../kernel/process.ts';
import { numberOption } from '../command.ts';
import type { Arguments } from '../command.ts';
import { linkTypeByName } from './link-types.ts';
import type { ByteStyle } from './packet-line.ts';
import type { TimeStyle } from './time-text.ts';

/** What packets are kept of unless -s says otherwise, bytes. */
const SNAPLEN = 262_144;
const MOST_TIMES = 5;
const KIB = 1024;

export interface Settings {
  readonly count: number;
  readonly snapLength: number;
  /** DLT_* asked for with -y. */
  readonly linkType: number | undefined;
  readonly time: TimeStyle;
  readonly bytes: ByteStyle;
  /** -d, -dd, -ddd: print the filter program only. */
  readonly dump: 0 | 1 | 2 | 3;
  readonly optimize: boolean;
  readonly promiscuous: boolean;
  /** -B, bytes. */
  readonly bufferSize: number | undefined;
}

export const TCPDUMP_OPTIONS = 'AB:c:DdeF:i:lLnNOpqr:s:StUvw:xXy:';

function times(args: Arguments, letter: string): number {
  return args.values(letter).length;
}

function byteStyle(args: Arguments): ByteStyle {
  const forms = [
    ['X', 'hexAndAscii'],
    ['x', 'hex'],
    ['A', 'ascii'],
  ] as const;
  for (const [letter, form] of forms) if (args.has(letter)) return { form, link: times(args, letter) > 1 };
  return { form: 'none', link: false };
}

function linkTypeOption(args: Arguments): number | undefined {
  const name = args.value('y');
  if (name === undefined) return undefined;
  const dlt = linkTypeByName(name);
  if (dlt === undefined) throw new UsageError(`invalid data link type ${name}`);
  return dlt;
}

export function readSettings(args: Arguments): Settings {
  if (times(args, 't') > MOST_TIMES) throw new UsageError('-t can be given up to five times');
  const most = 1e9;
  return {
    count: numberOption(args, 'c', { min: 1, max: most, fallback: Infinity }),
    // 0 stands for the default, as it has since tcpdump kept 68 bytes.
    snapLength: numberOption(args, 's', { min: 0, max: SNAPLEN, fallback: SNAPLEN }) || SNAPLEN,
    linkType: linkTypeOption(args),
    time: times(args, 't') as TimeStyle,
    bytes: byteStyle(args),
    dump: Math.min(times(args, 'd'), 3) as Settings['dump'],
    optimize: !args.has('O'),
    promiscuous: !args.has('p'),
    bufferSize: args.has('B')
      ? numberOption(args, 'B', { min: 1, max: 16_384, fallback: 32 }) * KIB
      : undefined,
  };
}
