/**
 * Rule sets that a window reads, loads and takes back. What a load or an unload replaces is kept, read back from PF itself: so undo also brings back rules that somebody has
 * loaded from a console.
 */
import type { PfEnvironment } from '../../../../stack/filter/pf/environment.ts';
import type { PfError } from '../../../../stack/filter/pf/errors.ts';
import { loadRuleSet } from '../../../../stack/filter/pf/load.ts';
import { parsePfConf } from '../../../../stack/filter/pf/parse.ts';
import type { PfParsed } from '../../../../stack/filter/pf/parse.ts';
import type { PfGeneration, PfRuleSet } from '../../../../stack/filter/pf/ruleset.ts';
import type { FilterCheck, FilterProblem, FilterRule } from '../../../api/filter-model.ts';
import { putBack, readLoaded, ruleCount, unloadAll } from './loaded-rule-set.ts';
import type { PfDevice } from './pf-device.ts';

/** Rule sets kept for each node. */
const MOST_KEPT = 10;
/** Files that a rule set may name, and files that those name. */
const MOST_FILES = 100;

/** Text of a file of the node; undefined if there is none. */
export type FileReader = (path: string) => Promise<string | undefined>;

/** A text that can be loaded: what it says, and what it loads into anchors. */
interface ReadText {
  readonly main: PfParsed;
  readonly anchors: readonly { readonly anchor: string; readonly ruleSet: PfRuleSet }[];
}

export type ReadOutcome = ReadText | { readonly errors: readonly PfError[] };

/** Reads a text with the files that it names: those of tables and fingerprints, and those that are loaded into anchors. */
export async function readText(
  text: string,
  environment: PfEnvironment,
  generation: PfGeneration,
  readFile: FileReader,
): Promise<ReadOutcome> {
  const main = await parseWithFiles(text, environment, generation, readFile);
  if ('errors' in main) return main;
  const anchors: { anchor: string; ruleSet: PfRuleSet }[] = [];
  for (const { line, anchor, file } of main.ruleSet.loads) {
    const inner = await readFile(file);
    if (inner === undefined)
      return { errors: [{ line, column: 1, message: `load anchor: there is no file ${file} on this node` }] };
    const parsed = await parseWithFiles(inner, environment, generation, readFile);
    if ('errors' in parsed) return { errors: parsed.errors.map((error) => ({ ...error, file })) };
    anchors.push({ anchor, ruleSet: parsed.ruleSet });
  }
  return { main, anchors };
}

/** The parser asks for files at once: those that it has not seen are fetched, and it begins again. */
async function parseWithFiles(
  text: string,
  environment: PfEnvironment,
  generation: PfGeneration,
  readFile: FileReader,
): Promise<PfParsed | { readonly errors: readonly PfError[] }> {
  const files = new Map<string, string | undefined>();
  for (;;) {
    const missing = new Set<string>();
    const parsed = parsePfConf(text, environment, {
      generation,
      readFile: (path) => {
        if (!files.has(path)) missing.add(path);
        return files.get(path);
      },
    });
    if (missing.size === 0 || files.size > MOST_FILES) return parsed;
    for (const path of missing) files.set(path, await readFile(path));
  }
}

function problemOf(severity: FilterProblem['severity']): (error: PfError) => FilterProblem {
  return ({ line, column, message, expected, file }) => ({
    severity,
    message,
    line,
    column,
    ...(expected !== undefined && { expected }),
    ...(file !== undefined && { file }),
  });
}

export function checkOf(read: ReadOutcome): FilterCheck {
  if ('errors' in read) return { problems: read.errors.map(problemOf('error')), rules: 0 };
  const rules = [read.main.ruleSet, ...read.anchors.map(({ ruleSet }) => ruleSet)];
  return {
    problems: read.main.warnings.map(problemOf('warning')),
    rules: rules.reduce((sum, ruleSet) => sum + ruleCount(ruleSet), 0),
  };
}

interface Kept {
  readonly ruleSet: PfRuleSet;
  /** The text it came from, if a window had loaded it. */
  readonly text: string | undefined;
  /** What loaded states of that text look like. */
  readonly signature: string | undefined;
}

/** What a window has done to the rules of one node. */
export class RuleSets {
  readonly #kept: Kept[] = [];
  #text: string | undefined;
  #signature: string | undefined;

  /** Loads what was read: all of it, or nothing. @param signatureNow tells the rules that are loaded apart from others. */
  async load(
    device: PfDevice,
    text: string,
    { main, anchors }: ReadText,
    signatureNow: () => Promise<string>,
  ): Promise<void> {
    await this.#keep(device);
    try {
      await loadRuleSet(main.ruleSet, device.call);
      for (const { anchor, ruleSet } of anchors) await loadRuleSet(ruleSet, device.call, { anchor });
    } catch (error) {
      await putBack(device, this.#kept.pop()!.ruleSet);
      throw error;
    }
    this.#text = text;
    this.#signature = await signatureNow();
  }

  async unload(device: PfDevice): Promise<void> {
    await this.#keep(device);
    await unloadAll(device);
    this.#text = this.#signature = undefined;
  }

  /** @throws Error when nothing is kept. */
  async undo(device: PfDevice): Promise<void> {
    const last = this.#kept.at(-1);
    if (last === undefined) throw new Error('there is no earlier rule set to put back');
    await putBack(device, last.ruleSet);
    this.#kept.pop();
    this.#text = last.text;
    this.#signature = last.signature;
  }

  async #keep(device: PfDevice): Promise<void> {
    const ruleSet = await readLoaded(device);
    this.#kept.push({ ruleSet, text: this.#text, signature: this.#signature });
    if (this.#kept.length > MOST_KEPT) this.#kept.shift();
  }

  /** The text that these rules were loaded from, if a window did it. */
  textOf(signature: string): string | undefined {
    return signature === this.#signature ? this.#text : undefined;
  }

  /** What undo would bring back, in words. */
  get undoText(): string | undefined {
    const last = this.#kept.at(-1);
    if (last === undefined) return undefined;
    const count = ruleCount(last.ruleSet);
    if (count === 0) return 'no rules';
    return count === 1 ? '1 rule' : `${count} rules`;
  }
}

/** A text that two sets of loaded rules share only if they are the same, from the same lines. */
export function signatureOf(rules: readonly FilterRule[], total: number): string {
  const lines = rules.map(
    ({ anchor, part, number, line, text }) => `${anchor} ${part} ${number} ${line} ${text}`,
  );
  return [String(total), ...lines].join('\n');
}
