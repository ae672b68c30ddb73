/** What the verbs of `stackscope bpf` share: link types by name, and messages that point into an expression. */
import { FilterExpressionError } from '../capture/packet-filter.ts';
import type { BpfProgram } from '../../stack/filter/bpf/instruction.ts';
import { compileFilter } from '../../stack/filter/bpf/language/compile.ts';
import type { FilterOptions } from '../../stack/filter/bpf/language/compile.ts';
import { pointAt } from '../../stack/filter/bpf/language/error.ts';
import type { FilterError } from '../../stack/filter/bpf/language/error.ts';
import { FILTER_LINK_TYPES } from '../../stack/filter/bpf/language/link-state.ts';
import { usageFailure } from './failure.ts';
import type { Failure } from './failure.ts';

/** A link type by its DLT name or number, in any case and with or without `DLT_`. */
export function linkTypeArgument(text: string): number {
  const wanted = text.toUpperCase().replace(/^DLT_/, '');
  for (const [number, name] of FILTER_LINK_TYPES)
    if (name === wanted || String(number) === wanted) return number;
  const known = [...FILTER_LINK_TYPES.values()].join(', ');
  throw usageFailure(`stackscope bpf: there are no filters for link type ${text}; there are for ${known}`);
}

/**
 * Compiles an expression.
 *
 * @throws Failure that shows the expression and where it is wrong.
 */
export function compiledOrFailure(expression: string, options: FilterOptions): BpfProgram {
  const compiled = compileFilter(expression, options);
  if ('program' in compiled) return compiled.program;
  throw expressionFailure(expression, compiled.error, compiled.error.message);
}

/** Ends a verb for a wrong expression: other errors are passed on as they are. */
export function failureOfFilter(error: unknown): unknown {
  if (!(error instanceof FilterExpressionError)) return error;
  return expressionFailure(error.expression, error.fault, error.message);
}

function expressionFailure(expression: string, { column, expected }: FilterError, message: string): Failure {
  const shown = pointAt(expression, column).split('\n');
  const lines = [`stackscope bpf: ${message}`, ...shown.map((line) => `  ${line}`)];
  return usageFailure([...lines, ...(expected === undefined ? [] : [`  expected: ${expected}`])].join('\n'));
}
