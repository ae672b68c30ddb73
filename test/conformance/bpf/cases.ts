/**
 * The published cases of the BPF filter language, as a folder holds them: `apply.jsonl` (an expression over a capture accepts each packet with so many bytes),
 * `accept.jsonl` (an expression and the program it should become) and `reject.jsonl` (an expression that must be refused).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { array, number, object, optional, parse, string } from 'valibot';
import type { InferOutput } from 'valibot';

const applyCase = object({
  name: string(),
  capture: string(),
  expr: string(),
  results: array(number()),
  netmask: optional(string()),
});
const acceptCase = object({
  name: string(),
  dlt: string(),
  expr: string(),
  program: string(),
  snaplen: optional(number()),
  netmask: optional(string()),
});
const rejectCase = object({ name: string(), dlt: string(), expr: string(), error: string() });

export type ApplyCase = InferOutput<typeof applyCase>;
export type AcceptCase = InferOutput<typeof acceptCase>;
export type RejectCase = InferOutput<typeof rejectCase>;

export interface BpfCases {
  readonly apply: readonly ApplyCase[];
  readonly accept: readonly AcceptCase[];
  readonly reject: readonly RejectCase[];
}

/** @throws if a file is missing or a line is not a case. */
export function readCases(folder: string): BpfCases {
  const lines = (name: string): unknown[] =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown);
  return {
    apply: lines('apply.jsonl').map((line) => parse(applyCase, line)),
    accept: lines('accept.jsonl').map((line) => parse(acceptCase, line)),
    reject: lines('reject.jsonl').map((line) => parse(rejectCase, line)),
  };
}
