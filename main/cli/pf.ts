/** `stackscope pf`: rule sets of the packet filter without a lab that runs. */
import { Command, Option } from 'commander';
import { pfErrorWithSource } from '../../stack/filter/pf/error-text.ts';
import { printRuleSet } from '../../stack/filter/pf/listing.ts';
import { optimizeRuleSet } from '../../stack/filter/pf/optimize.ts';
import { parsePfConf } from '../../stack/filter/pf/parse.ts';
import type { PfGeneration } from '../../stack/filter/pf/ruleset.ts';
import { EXIT_FAILED, exitOnMisuse } from './failure.ts';
import {
  addMacro,
  interfacesFor,
  parseNode,
  pfEnvironment,
  readIfThere,
  readText,
  tell,
} from './pf-input.ts';
import { testCommand } from './pf-test.ts';
import { print, visible } from './print.ts';

interface CheckOptions {
  readonly generation: PfGeneration;
  readonly interfaces?: { readonly lab: string; readonly node: string };
  readonly define: Readonly<Record<string, string>>;
  readonly verbose?: true;
  readonly optimize?: true;
}

/** The `pf` command with its verbs, each a subcommand. */
export function pfCommand(): Command {
  const command = new Command('pf').description(
    'check rule sets of the packet filter (pf.conf), and try them on captures',
  );
  command.addCommand(checkCommand());
  command.addCommand(testCommand());
  return exitOnMisuse(command);
}

function checkCommand(): Command {
  return new Command('check')
    .description('check a pf.conf: every error with its line, or what it says in normal form with -v')
    .argument('<file>', 'rule set; - is standard input')
    .addOption(
      new Option('--generation <version>', 'the PF it is for: that of io-pkt (3.7), or of OpenBSD 4.2')
        .choices(['3.7', '4.2'])
        .default('3.7'),
    )
    .option(
      '--interfaces <lab:node>',
      'interfaces and addresses of a node in a lab file, as its startup commands set them',
      parseNode,
    )
    .option('-D, --define <name=value>', 'a macro; may be given several times', addMacro, {})
    .option('-v, --verbose', 'print the rule set in normal form')
    .option('-o, --optimize', 'with -v: as the optimiser of 4.2 leaves it')
    .action(check);
}

async function check(file: string, options: CheckOptions): Promise<void> {
  const text = readText(file);
  const environment = pfEnvironment(await interfacesFor(options));
  const parsed = parsePfConf(text, environment, {
    generation: options.generation,
    macros: options.define,
    readFile: readIfThere,
  });
  if ('errors' in parsed) {
    for (const error of parsed.errors) tell(pfErrorWithSource(error, file, text));
    process.exitCode = EXIT_FAILED;
    return;
  }
  for (const warning of parsed.warnings) {
    tell(pfErrorWithSource({ ...warning, message: `warning: ${warning.message}` }, file, text));
  }
  if (!options.verbose) return;
  const ruleSet = options.optimize ? optimizeRuleSet(parsed.ruleSet) : parsed.ruleSet;
  for (const line of printRuleSet(ruleSet, parsed.listing, environment)) await print(visible(line));
}
