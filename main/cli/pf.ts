/** `stackscope pf`: rule sets of the packet filter without a lab that runs. */
import { readFileSync } from 'node:fs';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { PfEnvironment, PfInterface } from '../../stack/filter/pf/environment.ts';
import { pfErrorWithSource } from '../../stack/filter/pf/error-text.ts';
import { printRuleSet } from '../../stack/filter/pf/listing.ts';
import { DEFAULT_NAMES, namesOf } from '../../stack/filter/pf/name-tables.ts';
import { optimizeRuleSet } from '../../stack/filter/pf/optimize.ts';
import { parsePfConf } from '../../stack/filter/pf/parse.ts';
import type { PfGeneration } from '../../stack/filter/pf/ruleset.ts';
import { EXIT_FAILED, exitOnMisuse, messageOf, usageFailure } from './failure.ts';
import { readLab } from './lab-input.ts';
import { interfacesOfNode } from './node-interfaces.ts';
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
  const command = new Command('pf').description('check rule sets of the packet filter (pf.conf)');
  command.addCommand(checkCommand());
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

function parseNode(text: string): { lab: string; node: string } {
  const colon = text.lastIndexOf(':');
  if (colon <= 0)
    throw new InvalidArgumentError('It must be a lab file and a node, such as router.lab.yaml:router.');
  return { lab: text.slice(0, colon), node: text.slice(colon + 1) };
}

function addMacro(text: string, macros: Readonly<Record<string, string>>): Record<string, string> {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new InvalidArgumentError('It must be a name and a value, such as ext_if=en0.');
  return { ...macros, [text.slice(0, equals)]: text.slice(equals + 1) };
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

function tell(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${visible(line).replaceAll('\\x09', '\t')}\n`);
}

function readText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw usageFailure(`stackscope pf: ${messageOf(error)}`);
  }
}

/** Files that a rule set names lie on this machine. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

async function interfacesFor({ interfaces }: CheckOptions): Promise<readonly PfInterface[]> {
  if (!interfaces) return interfacesOfNode([], []);
  const { lab } = await readLab(interfaces.lab);
  const node = lab.nodes.find(({ name }) => name === interfaces.node);
  if (!node) {
    const known = lab.nodes.map(({ name }) => name).join(', ');
    throw usageFailure(`stackscope pf: ${interfaces.lab} has no node ${interfaces.node}; it has ${known}`);
  }
  return interfacesOfNode(node.interfaces, node.startup);
}

/** What rules are read against outside a lab: these interfaces, and the names that every node knows. */
export function pfEnvironment(interfaces: readonly PfInterface[]): PfEnvironment {
  return { interfaces, ...namesOf(DEFAULT_NAMES), hostAddresses: () => [] };
}
