/**
 * The options that all verbs share which run a lab: `--modules`, `--time`, `--seed`, `--threads`, `--for`, `--exec`, `--capture`, `-w`, `--journey`, `--json`.
 */
import { existsSync } from 'node:fs';
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { CaptureFileRequest } from '../lab/capture-file.ts';
import { parseCapturePoint } from '../lab/file/endpoint.ts';
import { parseDuration } from '../lab/file/units.ts';
import { parseJourneyChoice } from '../lab/journey-choice.ts';
import type { JourneyChoice } from '../../stack/net/journey.ts';

/** A command line and the node it runs on. */
export interface NodeCommand {
  readonly node: string;
  readonly command: string;
}

/** As commander hands them to an action. */
export interface LabOptionValues {
  readonly time: 'real' | 'virtual';
  readonly seed: number;
  readonly threads?: number;
  /** ns of the lab's clock. */
  readonly for?: number;
  readonly exec: readonly NodeCommand[];
  readonly capture: readonly CaptureFileRequest[];
  /** Files for the packets of all links. */
  readonly write: readonly string[];
  /** An expression of pcap-filter for `capture` and `write`. */
  readonly captureFilter?: string;
  readonly journey?: JourneyChoice;
  readonly json: boolean;
  /** Files and folders with modules from outside. */
  readonly modules: readonly string[];
}

const LAST_SEED = 0xffff_ffff;
const MOST_THREADS = 32;

const EVENTS = 'print one JSON object per line for every event, and nothing else';

/** Adds the options to a verb; `json` says what its `--json` prints. */
export function addLabOptions(command: Command, json = EVENTS): Command {
  return addModulesOption(command)
    .addOption(
      new Option(
        '--time <mode>',
        'clock of the lab: real, or virtual (repeatable; runs as fast as it can, on one thread)',
      )
        .choices(['real', 'virtual'])
        .default('real'),
    )
    .option('--seed <n>', 'seed of all random numbers; virtual runs with equal seeds are equal', parseSeed, 1)
    .option(
      '--threads <n>',
      'worker threads in real time, 1 to 32 (default: one per CPU, less one)',
      parseThreads,
    )
    .option('--for <duration>', 'run until this much lab time has passed, such as 10s or 500ms', parseTime)
    .option(
      '--exec <NODE: COMMAND>',
      'run a command line on a node; repeatable, in order; `&` at its end leaves it in the background',
      collect(parseNodeCommand),
      [],
    )
    .option(
      '--capture <WHAT=FILE>',
      'write packets to a file; WHAT is all (every link), link:NAME or NODE:IF; repeatable; options with the same FILE share it; FILE is pcapng, or nanosecond pcap when it ends in .pcap',
      collect(parseCapture),
      [],
    )
    .option('-w, --write <FILE>', 'the same as --capture all=FILE', collect(parseFile), [])
    .option(
      '--capture-filter <EXPR>',
      "which packets --capture and -w take, in the language of pcap-filter, such as 'tcp port 80 and host 10.0.0.2'",
    )
    .option(
      '--journey <PACKETS>',
      "follow packets on their way through the lab and keep their journeys in the pcapng files (pcap journey shows them); PACKETS is all, or any of: every N (or 1/N), icmp, tcp, udp, proto N, host A.B.C.D, port N, such as 'every 10 tcp port 80'",
      parseJourney,
    )
    .option('--json', json, false);
}

/** Adds `--modules` to a verb. */
export function addModulesOption(command: Command): Command {
  return command.option(
    '--modules <path>',
    'a folder with modules of your own (devnp-NAME.mjs, lsm-NAME.mjs), or one such file, that nodes may load; repeatable; their code has all rights of this program',
    collect(parseModulesPath),
    [],
  );
}

function parseModulesPath(path: string): string {
  if (existsSync(path)) return path;
  throw new InvalidArgumentError('There is no such file or folder.');
}

/** Makes a parser of one value one that gathers the values of a repeated option. */
export function collect<T>(parse: (text: string) => T): (text: string, before: readonly T[]) => readonly T[] {
  return (text, before) => [...before, parse(text)];
}

/** Reads `NODE: COMMAND`. */
export function parseNodeCommand(text: string): NodeCommand {
  const match = /^\s*([^\s:]+)\s*:\s*(\S.*)$/s.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new InvalidArgumentError("Write 'NODE: COMMAND', such as 'alpha: ping -c 3 10.0.0.2'.");
  }
  return { node: match[1], command: match[2] };
}

function parseCapture(text: string): CaptureFileRequest {
  const [, what = '', file = ''] = /^([^=]*)=(.+)$/s.exec(text) ?? [];
  const at = parseCapturePoint(what);
  if (at === undefined || file === '') {
    throw new InvalidArgumentError(
      'Write WHAT=FILE, where WHAT is all, link:NAME or NODE:IF, such as all=out.pcapng.',
    );
  }
  return { at, file };
}

function parseFile(text: string): string {
  if (text === '') throw new InvalidArgumentError('Write the name of a file, such as out.pcapng.');
  return text;
}

function parseJourney(text: string): JourneyChoice {
  const read = parseJourneyChoice(text);
  if (!read.ok) throw new InvalidArgumentError(`It ${read.reason}.`);
  return read.value;
}

/** Reads a duration, ns. */
export function parseTime(text: string): number {
  const read = parseDuration(text);
  if (!read.ok) throw new InvalidArgumentError(`It ${read.reason}.`);
  return read.value;
}

/** Reads a seed. */
export function parseSeed(text: string): number {
  return wholeNumber(text, 0, LAST_SEED);
}

function parseThreads(text: string): number {
  return wholeNumber(text, 1, MOST_THREADS);
}

function wholeNumber(text: string, least: number, most: number): number {
  const value = Number(text);
  if (/^\d{1,15}$/.test(text) && value >= least && value <= most) return value;
  throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
}
