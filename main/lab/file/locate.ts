/**
 * From YAML 1.2 text to a plain value that remembers where each part stands, guarded against hostile files: size, depth, alias bombs and
 * keys that JavaScript objects treat specially.
 */
import { isAlias, isMap, isScalar, isSeq, parseDocument, type Document, type Node, type Pair } from 'yaml';
import { syntaxFindings } from './yaml-errors.ts';

export type Path = readonly (string | number)[];

/** A problem at an offset of the text. */
export interface Finding {
  readonly offset: number;
  readonly path: Path;
  readonly text: string;
}

/** A file's value with the offsets of its parts. */
export interface Located {
  readonly value: unknown;
  /** Whether the text is whole YAML; if not, what follows `syntaxOffset` cannot be relied on. */
  readonly syntaxOffset: number | undefined;
  readonly findings: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Offset of a value, or of the nearest part around it that exists. */
  offsetOf(path: Path): number;
  /** Offset of the key of a value, where it has one. */
  keyOffsetOf(path: Path): number;
  /** Offset behind a value; infinite where nothing was written. */
  endOf(path: Path): number;
}

/** Characters; a lab of 1,000 nodes and 2,000 links has about 300,000. */
export const MAX_TEXT_LENGTH = 4 * 1024 * 1024;
/** Values in a file after aliases are followed. */
const MAX_VALUES = 200_000;
const MAX_DEPTH = 32;
const RESERVED_KEYS: ReadonlySet<string> = new Set(['__proto__', 'prototype', 'constructor']);

interface Offsets {
  readonly key: number;
  readonly value: number;
  readonly end: number;
}

interface Walk {
  readonly offsets: Map<string, Offsets>;
  readonly anchors: Map<string, Node>;
  readonly findings: Finding[];
  values: number;
}

/** Thrown inside this file to leave a walk that has seen too much. */
class TooMuch extends Error {
  readonly finding: Finding;
  constructor(finding: Finding) {
    super(finding.text);
    this.finding = finding;
  }
}

/** Reads YAML text; never throws on bad text. */
export function locate(text: string): Located {
  if (text.length > MAX_TEXT_LENGTH) {
    const limit = `${String(MAX_TEXT_LENGTH / 1024 / 1024)} MiB`;
    return nothing([
      { offset: 0, path: [], text: `the file is larger than ${limit}, the most a lab file may have` },
    ]);
  }
  const document = composeGuarded(text);
  if (document === undefined) return nothing([tooDeep(0, [])]);
  const walk: Walk = { offsets: new Map(), anchors: new Map(), findings: [], values: 0 };
  let value: unknown;
  try {
    value = document.contents === null ? undefined : readNode(document.contents, [], 0, walk);
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    return nothing([error.finding]);
  }
  const syntax = syntaxFindings(document, text);
  if (document.contents === null && syntax.length === 0) {
    return nothing([{ offset: 0, path: [], text: 'the file is empty; a lab begins with name: and nodes:' }]);
  }
  const warnings = document.warnings.map((warning) => ({
    offset: warning.pos[0],
    path: [],
    text: warning.message,
  }));
  return located(value, syntax, walk, warnings);
}

/** The composer recurses: text that is nested beyond its stack ends here, not in a crash. */
function composeGuarded(text: string): Document | undefined {
  try {
    return parseDocument(text, {
      version: '1.2',
      prettyErrors: false,
      uniqueKeys: false,
    });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function readNode(node: Node, path: Path, keyOffset: number, walk: Walk): unknown {
  const offset = node.range?.[0] ?? keyOffset;
  walk.values++;
  if (walk.values > MAX_VALUES) {
    throw new TooMuch({
      offset,
      path,
      text: `the file has more than ${String(MAX_VALUES)} values (aliases count each time)`,
    });
  }
  if (path.length > MAX_DEPTH) throw new TooMuch(tooDeep(offset, path));
  const known = walk.offsets.get(pathKey(path));
  if (known === undefined) {
    walk.offsets.set(pathKey(path), { key: keyOffset, value: offset, end: endOfNode(node, offset) });
  }
  if (isAlias(node)) return readAlias(node.source, path, offset, walk);
  if (node.anchor !== undefined) walk.anchors.set(node.anchor, node);
  if (isScalar(node)) return node.value;
  if (isMap(node)) return readMapping(node.items, path, offset, walk);
  if (isSeq(node)) {
    return node.items.map((item, index) => readNode(item as Node, [...path, index], offset, walk));
  }
  return undefined;
}

/** An alias is read again at its own place, so that what is wrong in it is reported where it is used. */
function readAlias(source: string, path: Path, offset: number, walk: Walk): unknown {
  const target = walk.anchors.get(source);
  if (target !== undefined) return readNode(target, path, offset, walk);
  walk.findings.push({ offset, path, text: `*${source} has no anchor &${source} before it` });
  return undefined;
}

function readMapping(
  pairs: readonly Pair[],
  path: Path,
  offset: number,
  walk: Walk,
): Record<string, unknown> {
  const mapping: Record<string, unknown> = {};
  for (const pair of pairs) {
    const keyNode = pair.key as Node | null;
    const keyOffset = keyNode?.range?.[0] ?? offset;
    if (!isScalar(keyNode)) {
      walk.findings.push({ offset: keyOffset, path, text: 'a key must be a single word' });
      continue;
    }
    const key = keyNode.source ?? String(keyNode.value);
    const keyPath = [...path, key];
    if (RESERVED_KEYS.has(key)) {
      walk.findings.push({ offset: keyOffset, path: keyPath, text: `${key} cannot be used as a name` });
    } else if (Object.hasOwn(mapping, key)) {
      walk.findings.push({
        offset: keyOffset,
        path: keyPath,
        text: `${JSON.stringify(key)} is given twice; keep one of them`,
      });
    } else {
      const value = pair.value as Node | null;
      if (value === null) {
        walk.offsets.set(pathKey(keyPath), {
          key: keyOffset,
          value: keyOffset,
          end: Number.POSITIVE_INFINITY,
        });
      }
      mapping[key] = value === null ? null : readNode(value, keyPath, keyOffset, walk);
    }
  }
  return mapping;
}

function located(
  value: unknown,
  syntax: readonly Finding[],
  walk: Walk,
  warnings: readonly Finding[],
): Located {
  const nearestOffsets = (path: Path): Offsets | undefined => {
    for (let length = path.length; length >= 0; length--) {
      const offsets = walk.offsets.get(pathKey(path.slice(0, length)));
      if (offsets !== undefined) return length === path.length ? offsets : { ...offsets, value: offsets.key };
    }
    return undefined;
  };
  return {
    value,
    syntaxOffset:
      syntax.length === 0
        ? undefined
        : syntax.reduce((least, { offset }) => Math.min(least, offset), Infinity),
    findings: [...syntax, ...walk.findings],
    warnings,
    offsetOf: (path) => nearestOffsets(path)?.value ?? 0,
    keyOffsetOf: (path) => nearestOffsets(path)?.key ?? 0,
    endOf: (path) => nearestOffsets(path)?.end ?? Number.POSITIVE_INFINITY,
  };
}

function nothing(findings: readonly Finding[]): Located {
  return {
    value: undefined,
    syntaxOffset: 0,
    findings,
    warnings: [],
    offsetOf: () => 0,
    keyOffsetOf: () => 0,
    endOf: () => 0,
  };
}

/** An empty value ends where the next thing begins, which may be what breaks the YAML. */
function endOfNode(node: Node, offset: number): number {
  const end = node.range?.[1] ?? offset;
  return end > offset ? end : Number.POSITIVE_INFINITY;
}

function tooDeep(offset: number, path: Path): Finding {
  return {
    offset,
    path: path.slice(0, 4),
    text: `the file is nested deeper than ${String(MAX_DEPTH)} levels`,
  };
}

function pathKey(path: Path): string {
  return path.join('\0');
}
