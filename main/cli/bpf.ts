/** `stackscope bpf`: shows the BPF program of a filter expression, runs one over a capture, and explains step by step what it does with a packet. */
import { Command } from 'commander';
import { decimalListing, initializerListing, listing } from '../../stack/filter/bpf/listing.ts';
import type { BpfProgram } from '../../stack/filter/bpf/instruction.ts';
import { explainCommand } from './bpf-explain.ts';
import { compiledOrFailure, linkTypeArgument } from './bpf-filter.ts';
import { runCommand } from './bpf-run.ts';
import { exitOnMisuse } from './failure.ts';
import { print } from './print.ts';

/** The `bpf` command with its verbs. */
export function bpfCommand(): Command {
  let detail = 0;
  const command = new Command('bpf')
    .description('compile a filter expression (pcap-filter) and show its BPF program')
    .argument('<expression...>', 'filter expression; without a verb its program is shown')
    .option('-d', 'print the program for people; -dd as a C initializer, -ddd as decimal numbers')
    .option('-y, --link-type <type>', 'link type the program is for', 'EN10MB')
    .option('-s, --snaplen <bytes>', 'bytes to keep of accepted packets', '262144')
    .option('-O, --no-optimize', 'leave the program as it was generated')
    .on('option:d', () => {
      detail++;
    })
    .action((words: string[], options: { linkType: string; snaplen: string; optimize: boolean }) => {
      const program = compiledOrFailure(words.join(' '), {
        linkType: linkTypeArgument(options.linkType),
        snaplen: Number(options.snaplen) >>> 0,
        optimize: options.optimize,
      });
      return print(programText(program, detail).trimEnd());
    });
  for (const verb of [runCommand(), explainCommand()]) command.addCommand(verb);
  return exitOnMisuse(command);
}

function programText(program: BpfProgram, detail: number): string {
  if (detail >= 3) return decimalListing(program);
  return detail === 2 ? initializerListing(program) : listing(program);
}
