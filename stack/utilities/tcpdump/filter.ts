/**
 * The filter expression of a command line, compiled with the names that a node knows.
 */
import { readFile, readTextFile } from '../../kernel/files.ts';
import type { Process } from '../../kernel/process.ts';
import { compileFilter } from '../../filter/bpf/language/compile.ts';
import { pointAt } from '../../filter/bpf/language/error.ts';
import type { FilterResolver } from '../../filter/bpf/language/resolver.ts';
import { BPF_MAXINSNS } from '../../filter/bpf/instruction.ts';
import type { BpfProgram } from '../../filter/bpf/instruction.ts';
import { parseHosts } from '../../socket/netdb.ts';
import { CommandError } from '../command.ts';
import type { Arguments } from '../command.ts';

/** Names of a node: from its /etc/hosts. */
export interface HostNames {
  readonly name: (address: number) => string | undefined;
  readonly resolver: FilterResolver;
}

export async function hostNames(self: Process): Promise<HostNames> {
  // A node without the file knows no names.
  const text = await readTextFile(self, '/etc/hosts').catch(() => '');
  const entries = parseHosts(text);
  const byAddress = new Map(entries.map(({ address, names }) => [address, names[0]]));
  return {
    name: (address) => byAddress.get(address),
    resolver: {
      hosts(name) {
        const wanted = name.toLowerCase();
        const found = entries.filter(({ names }) => names.some((each) => each.toLowerCase() === wanted));
        return found.length === 0 ? undefined : found.map(({ address }) => ({ family: 4, address }));
      },
    },
  };
}

/** The expression of -F, or of the words behind the options. */
export async function expressionOf(self: Process, args: Arguments): Promise<string> {
  const file = args.value('F');
  if (file === undefined) return args.operands.join(' ');
  const text = new TextDecoder().decode(await readFile(self, file));
  return text.replace(/#.*/g, '').trim();
}

export interface FilterRequest {
  readonly linkType: number;
  readonly snapLength: number;
  readonly optimize: boolean;
  readonly netmask?: number;
  readonly resolver: FilterResolver;
}

/** Compiles an expression. Throws CommandError that shows where it is wrong. */
export function filterProgram(expression: string, request: FilterRequest): BpfProgram {
  const { linkType, snapLength, optimize, netmask, resolver } = request;
  const compiled = compileFilter(expression, {
    linkType,
    snaplen: snapLength,
    optimize,
    resolver,
    maxInstructions: BPF_MAXINSNS,
    ...(netmask !== undefined && { netmask }),
  });
  if ('program' in compiled) return compiled.program;
  const { message, column, expected } = compiled.error;
  const wanted = expected === undefined ? '' : `; expected ${expected}`;
  throw new CommandError(`${message}${wanted}\n${pointAt(expression, column)}`);
}
