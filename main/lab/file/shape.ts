/**
 * One file's value against the schema: unknown keys (all of them, with the nearest known one), and every value that the schema refuses.
 */
import * as v from 'valibot';
import type { Path } from './locate.ts';
import { REST_KEY_PATTERN } from './schema.ts';
import { nearest } from '../../../stack/kernel/suggest.ts';

/** A problem at a path. `at` says whether the value, its key, or a key that is missing in it is wrong. */
export interface ShapeProblem {
  readonly path: Path;
  readonly at: 'value' | 'key' | 'missing';
  readonly text: string;
}

/** Whether a value is a mapping (not a list, not null). */
export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Everything in `value` that does not have the shape of `schema`. */
export function checkShape(schema: v.GenericSchema, value: unknown): ShapeProblem[] {
  const structural: ShapeProblem[] = [];
  const misspelt = new Set<string>();
  walk(schema, value, [], { problems: structural, misspelt });
  const reported = new Set([...structural.map((problem) => problem.path.join('\0')), ...misspelt]);
  const result = v.safeParse(schema, value, { abortPipeEarly: true });
  const issues = (result.issues ?? []).map((issue) => fromIssue(issue));
  return [...structural, ...issues.filter((issue) => !isAtOrBelow(issue.path, reported))];
}

interface Walk {
  readonly problems: ShapeProblem[];
  /** Paths that are missing because their key is written wrong: one mistake, one problem. */
  readonly misspelt: Set<string>;
}

/** What valibot leaves out: it stops at the first unknown key, and takes a list for a mapping. */
function walk(schema: v.GenericSchema, value: unknown, path: Path, seen: Walk): void {
  const inner = unwrap(schema);
  if (isArraySchema(inner)) {
    if (Array.isArray(value)) value.forEach((item, index) => walk(inner.item, item, [...path, index], seen));
  } else if (Array.isArray(value)) {
    if (isObjectSchema(inner) || isRecordSchema(inner)) {
      seen.problems.push({ path, at: 'value', text: 'must be a mapping, not a list' });
    }
  } else if (isMapping(value)) {
    if (isObjectSchema(inner)) walkObject(inner, value, path, seen);
    else if (isRecordSchema(inner)) {
      for (const [key, item] of Object.entries(value)) walk(inner.value, item, [...path, key], seen);
    }
  }
}

function walkObject(schema: ObjectSchema, value: Record<string, unknown>, path: Path, seen: Walk): void {
  const known = Object.keys(schema.entries);
  for (const [key, item] of Object.entries(value)) {
    const entry = Object.hasOwn(schema.entries, key) ? schema.entries[key] : undefined;
    const keySchema = entry ?? (key.includes(REST_KEY_PATTERN) ? schema.rest : undefined);
    if (keySchema !== undefined) {
      walk(keySchema, item, [...path, key], seen);
      continue;
    }
    const meant = nearest(key, known);
    const hint = meant === undefined ? `; known here: ${known.join(', ')}` : ` (did you mean ${meant}?)`;
    seen.problems.push({ path: [...path, key], at: 'key', text: `unknown key${hint}` });
    if (meant !== undefined && !Object.hasOwn(value, meant)) seen.misspelt.add([...path, meant].join('\0'));
  }
}

function fromIssue(issue: v.BaseIssue<unknown>): ShapeProblem {
  const items = issue.path ?? [];
  const path = items.map((item) => item.key as string | number);
  const last = items.at(-1);
  const ofKey = last !== undefined && 'origin' in last && last.origin === 'key';
  if (!ofKey) return { path, at: 'value', text: issue.message };
  if (issue.input === undefined) return { path, at: 'missing', text: 'is required but missing' };
  return { path, at: 'key', text: issue.message };
}

function isAtOrBelow(path: Path, tops: ReadonlySet<string>): boolean {
  return path.some((_, index) => tops.has(path.slice(0, index + 1).join('\0'))) || tops.has('');
}

interface ObjectSchema {
  readonly entries: Readonly<Record<string, v.GenericSchema>>;
  readonly rest?: v.GenericSchema;
}

function unwrap(schema: v.GenericSchema): v.GenericSchema {
  return 'wrapped' in schema ? unwrap(schema.wrapped as v.GenericSchema) : schema;
}

function isObjectSchema(schema: v.GenericSchema): schema is v.GenericSchema & ObjectSchema {
  return 'entries' in schema;
}

function isRecordSchema(
  schema: v.GenericSchema,
): schema is v.GenericSchema & { readonly value: v.GenericSchema } {
  return schema.type === 'record';
}

function isArraySchema(
  schema: v.GenericSchema,
): schema is v.GenericSchema & { readonly item: v.GenericSchema } {
  return schema.type === 'array';
}
