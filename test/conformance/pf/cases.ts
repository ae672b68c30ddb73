/**
 * The published PF cases (OpenBSD's regression suite, and listings of a PF 4.2 pfctl): each file is read as pfctl -n would, and what it says in normal form is
 * compared with the listing beside it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { PfEnvironment } from '../../../stack/filter/pf/environment.ts';
import { printRuleSet } from '../../../stack/filter/pf/listing.ts';
import { optimizeRuleSet } from '../../../stack/filter/pf/optimize.ts';
import { parsePfConf } from '../../../stack/filter/pf/parse.ts';
import type { PfParseResult } from '../../../stack/filter/pf/parse.ts';
import type { PfGeneration } from '../../../stack/filter/pf/ruleset.ts';
import { grammar42Environment, upstreamEnvironment } from './environment.ts';

/** pass: as the reference; fail: otherwise; explained: otherwise, for a reason that lies in the reference. */
export type PfCaseStatus = 'pass' | 'fail' | 'explained';

export interface PfCaseResult {
  /** `folder/name`, with `.optimized` for the listing that the optimiser leaves. */
  readonly name: string;
  readonly result: PfCaseStatus;
  readonly reason: string;
  /** What was compared: whether the file is accepted at all, or the listing, too. */
  readonly compared: 'verdict' | 'listing';
  /** Whether the file is accepted or rejected as it should be. */
  readonly verdict: boolean;
}

/** What the reference says of a file. */
interface Reference {
  readonly listing?: string;
  readonly rejected: boolean;
}

/** A key of source-hash that the file does not give is random, and differs in each run. */
const KEY = /(source-hash) (0x[0-9a-f]{32})/g;

function read(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

/** Lines as they count: blanks at their ends are an older way to print, random keys are no one's fault. */
function lines(text: string, input: string): string[] {
  const keyed = text.replace(KEY, (all, word: string, key: string) => (input.includes(key) ? all : word));
  return keyed
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
}

function firstDifference(actual: readonly string[], expected: readonly string[]): string | undefined {
  const length = Math.max(actual.length, expected.length);
  for (let i = 0; i < length; i++) {
    if (actual[i] !== expected[i])
      return `line ${i + 1}: ${actual[i] ?? '(nothing)'} | expected: ${expected[i] ?? '(nothing)'}`;
  }
  return undefined;
}

function parse(input: string, environment: PfEnvironment, generation: PfGeneration): PfParseResult {
  return parsePfConf(input, environment, { generation, readFile: read });
}

function problemsOf(result: PfParseResult): string {
  return 'errors' in result
    ? result.errors.map(({ line, message }) => `line ${line}: ${message}`).join('; ')
    : '';
}

function listingOf(result: PfParseResult, environment: PfEnvironment, expected: string): string {
  if ('errors' in result) return '';
  return printRuleSet(result.ruleSet, result.listing, environment, {
    numbers: /^@\d+ /m.test(expected),
  }).join('\n');
}

/** One file of grammar42: accepted with this listing, or rejected. */
function grammarCase(
  name: string,
  input: string,
  reference: Reference,
  environment: PfEnvironment,
): PfCaseResult {
  const result = parse(input, environment, '4.2');
  const accepted = !('errors' in result);
  const verdict = accepted !== reference.rejected;
  const about = { name, verdict, compared: reference.rejected ? 'verdict' : 'listing' } as const;
  if (!verdict) {
    return { ...about, result: 'fail', reason: accepted ? 'accepted' : `rejected: ${problemsOf(result)}` };
  }
  if (reference.listing === undefined || !accepted)
    return { ...about, result: 'pass', reason: problemsOf(result) };
  const actual = lines(listingOf(result, environment, reference.listing), input);
  const difference = firstDifference(actual, lines(reference.listing, input));
  return { ...about, result: difference === undefined ? 'pass' : 'fail', reason: difference ?? '' };
}

function optimizedCase(
  name: string,
  input: string,
  expected: string,
  environment: PfEnvironment,
): PfCaseResult {
  const about = { name: `${name}.optimized`, compared: 'listing', verdict: true } as const;
  const result = parse(input, environment, '4.2');
  if ('errors' in result) return { ...about, result: 'fail', reason: problemsOf(result), verdict: false };
  const optimized = optimizeRuleSet(result.ruleSet);
  const text = printRuleSet(optimized, result.listing, environment).join('\n');
  const difference = firstDifference(lines(text, input), lines(expected, input));
  return { ...about, result: difference === undefined ? 'pass' : 'fail', reason: difference ?? '' };
}

/** Differences that show an older or newer pfctl than that of 3.7, each with what it changes in the text. */
const OTHER_PFCTLS: readonly { reason: string; change: (line: string) => string }[] = [
  {
    reason: "the reference is of a pfctl before 3.7, which lists 'block drop' as 'block'",
    change: (line) => line.replace(/^((?:@\d+ )?block) drop/, '$1'),
  },
];

/** One file of upstream: listed as by 3.7, or by 4.2, or by another pfctl whose way to list is known. */
function upstreamCase(
  name: string,
  input: string,
  expected: string | undefined,
  environment: PfEnvironment,
): PfCaseResult {
  const old = parse(input, environment, '3.7');
  const accepted = !('errors' in old);
  if (expected === undefined) {
    const about = { name, compared: 'verdict', verdict: accepted } as const;
    if (accepted) return { ...about, result: 'pass', reason: 'accepted; there is no reference listing' };
    return { ...about, result: 'explained', reason: `no reference listing; rejected: ${problemsOf(old)}` };
  }
  const about = { name, compared: 'listing', verdict: accepted } as const;
  const wanted = lines(expected, input);
  const actual = lines(listingOf(old, environment, expected), input);
  const difference = accepted ? firstDifference(actual, wanted) : problemsOf(old);
  if (difference === undefined) return { ...about, result: 'pass', reason: '' };
  const newer = parse(input, environment, '4.2');
  if (
    !('errors' in newer) &&
    firstDifference(lines(listingOf(newer, environment, expected), input), wanted) === undefined
  ) {
    return {
      ...about,
      verdict: true,
      result: 'explained',
      reason: `the reference is of 4.2, and so read; as 3.7: ${difference}`,
    };
  }
  const other = OTHER_PFCTLS.find(({ change }) => firstDifference(actual.map(change), wanted) === undefined);
  if (other) return { ...about, result: 'explained', reason: other.reason };
  return { ...about, result: 'fail', reason: difference };
}

function inputsOf(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.in'))
    .sort();
}

/** Runs all cases of a folder that is laid out as `upstream/` and `grammar42/`. */
export function runPfCases(directory: string): PfCaseResult[] {
  const results: PfCaseResult[] = [];
  const grammar = grammar42Environment();
  for (const file of inputsOf(join(directory, 'grammar42'))) {
    const base = join(directory, 'grammar42', basename(file, '.in'));
    const name = `grammar42/${basename(file, '.in')}`;
    const input = readFileSync(`${base}.in`, 'utf8');
    const listing = read(`${base}.ok`);
    const rejected = existsSync(`${base}.fail`);
    results.push(grammarCase(name, input, { ...(listing !== undefined && { listing }), rejected }, grammar));
    const optimized = read(`${base}.optimized`);
    if (optimized !== undefined) results.push(optimizedCase(name, input, optimized, grammar));
  }
  const upstream = upstreamEnvironment();
  for (const file of inputsOf(join(directory, 'upstream'))) {
    const base = join(directory, 'upstream', basename(file, '.in'));
    const name = `upstream/${basename(file, '.in')}`;
    results.push(upstreamCase(name, readFileSync(`${base}.in`, 'utf8'), read(`${base}.ok`), upstream));
  }
  return results;
}

/** Totals of one kind: those that are right, those that are explained, and all. */
export interface PfTotal {
  readonly what: string;
  readonly right: number;
  readonly explained: number;
  readonly all: number;
}

export function totalsOf(results: readonly PfCaseResult[]): PfTotal[] {
  const total = (
    what: string,
    chosen: readonly PfCaseResult[],
    right: (one: PfCaseResult) => boolean,
  ): PfTotal => ({
    what,
    right: chosen.filter(right).length,
    explained: chosen.filter(({ result }) => result === 'explained').length,
    all: chosen.length,
  });
  const passes = ({ result }: PfCaseResult): boolean => result === 'pass';
  const grammar = results.filter(({ name }) => name.startsWith('grammar42/'));
  const plain = grammar.filter(({ name }) => !name.endsWith('.optimized'));
  const upstream = results.filter(({ name }) => name.startsWith('upstream/'));
  return [
    total('grammar42 accepted or rejected', plain, ({ verdict }) => verdict),
    total(
      'grammar42 listings',
      plain.filter(({ compared }) => compared === 'listing'),
      passes,
    ),
    total(
      'grammar42 optimised listings',
      grammar.filter(({ name }) => name.endsWith('.optimized')),
      passes,
    ),
    total(
      'upstream listings',
      upstream.filter(({ compared }) => compared === 'listing'),
      passes,
    ),
    total(
      'upstream files without listing accepted',
      upstream.filter(({ compared }) => compared === 'verdict'),
      passes,
    ),
  ];
}
