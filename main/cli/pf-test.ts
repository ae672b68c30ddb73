/** `stackscope pf test`: which packets of a capture a rule set would pass, by which rule, before it is loaded anywhere. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { pfErrorWithSource } from '../../stack/filter/pf/error-text.ts';
import type { PfGeneration } from '../../stack/filter/pf/ruleset.ts';
import type { CaptureProblem } from '../capture/packet.ts';
import { secondsText } from '../capture/time-text.ts';
import { compareVerdicts } from '../lab/what-if/compare.ts';
import type {
  PacketVerdict,
  RuleRef,
  RuleTotals,
  VerdictChange,
  WhatIfReport,
} from '../lab/what-if/report.ts';
import { pfWhatIf } from '../lab/what-if/what-if.ts';
import { EXIT_FAILED, messageOf, usageFailure } from './failure.ts';
import {
  addMacro,
  interfacesFor,
  parseNode,
  pfEnvironment,
  readIfThere,
  readText,
  tell,
} from './pf-input.ts';
import { print, visible } from './print.ts';

interface TestOptions {
  readonly in: string;
  readonly iface: string;
  readonly dir: 'in' | 'out' | 'both';
  readonly against?: string;
  readonly json?: true;
  readonly quiet?: true;
  readonly generation: PfGeneration;
  readonly interfaces?: { readonly lab: string; readonly node: string };
  readonly define: Readonly<Record<string, string>>;
}

export function testCommand(): Command {
  return new Command('test')
    .description('show which packets of a capture a pf.conf would pass, and by which rule')
    .argument('<file>', 'rule set; - is standard input')
    .requiredOption('--in <capture>', 'capture file (pcap, pcapng, gzip of either)')
    .option('--iface <name>', 'interface that the packets cross', parseInterface, 'en0')
    .addOption(
      new Option('--dir <direction>', 'which way: told by the capture or by addresses with both')
        .choices(['in', 'out', 'both'])
        .default('both'),
    )
    .option('--against <file>', 'compare with another rule set: only packets that fare otherwise are shown')
    .option('--json', 'print the report as JSON')
    .option('-q, --quiet', 'print the totals only')
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
    .action(test);
}

function parseInterface(text: string): string {
  if (/^[a-z][a-z0-9]*[0-9]$/.test(text) && text.length <= 15) return text;
  throw new InvalidArgumentError('It must be the name of an interface, such as en0.');
}

async function test(file: string, options: TestOptions): Promise<void> {
  const report = await reportOf(file, options);
  const other = options.against === undefined ? undefined : await reportOf(options.against, options);
  if (report === undefined || (options.against !== undefined && other === undefined)) {
    process.exitCode = EXIT_FAILED;
    return;
  }
  const changes = other === undefined ? undefined : compareVerdicts(other.packets, report.packets);
  if (options.json)
    await print(JSON.stringify(changes === undefined ? report : { report, against: other, changes }));
  else if (changes === undefined || other === undefined) await printReport(report, options.quiet === true);
  else await printChanges(report, other, changes);
}

/** Runs one rule set; undefined if it is wrong, which is told. */
async function reportOf(file: string, options: TestOptions): Promise<WhatIfReport | undefined> {
  const text = readText(file);
  const onProblem = ({ offset, message }: CaptureProblem): void => {
    process.stderr.write(`stackscope pf: ${options.in} at byte ${offset}: ${visible(message)}\n`);
  };
  const result = await pfWhatIf({
    file,
    text,
    generation: options.generation,
    environment: pfEnvironment(await interfacesFor(options)),
    capture: options.in,
    interface: options.iface,
    direction: options.dir,
    macros: options.define,
    readFile: readIfThere,
    onProblem,
  }).catch((error: unknown) => {
    throw usageFailure(`stackscope pf: ${options.in}: ${messageOf(error)}`);
  });
  if (!('errors' in result)) return result;
  for (const error of result.errors) tell(pfErrorWithSource(error, file, text));
  return undefined;
}

function ruleText(rule: RuleRef | undefined): string {
  if (rule === undefined) return 'no rule';
  const anchor = rule.anchor === '' ? '' : `${rule.anchor}/`;
  const part = rule.part === 'filter' ? '' : `${rule.part} `;
  return `${part}@${anchor}${rule.number} line ${rule.line}`;
}

/** Why a packet fares as it does: its rule, or the state it belongs to. */
function reasonText({
  verdict,
  reason,
  rule,
  state,
  translation,
  translated,
  adapted,
}: PacketVerdict): string {
  const parts: string[] = [];
  if (verdict === 'ignored') parts.push(reason ?? '');
  else parts.push(ruleText(rule));
  if (verdict !== 'ignored' && reason !== undefined && reason !== 'match') parts.push(reason);
  if (state !== undefined) parts.push(`${state.made ? 'makes state' : 'state'} ${state.id}`);
  if (adapted !== undefined) parts.push(`coming as ${adapted}`);
  const by = translation === undefined ? '' : ` by ${ruleText(translation)}`;
  if (translated !== undefined) parts.push(`becomes ${translated}${state?.made === true ? by : ''}`);
  return parts.join(', ');
}

function packetText(packet: PacketVerdict, first: bigint): string {
  const { number, time, direction, verdict, summary } = packet;
  return [
    String(number).padStart(5),
    secondsText(BigInt(time) - first).padStart(12),
    direction.padEnd(3),
    verdict.padEnd(7),
    `${summary}  [${reasonText(packet)}]`,
  ].join(' ');
}

async function printReport(report: WhatIfReport, quiet: boolean): Promise<void> {
  const first = BigInt(report.packets[0]?.time ?? 0);
  if (!quiet) {
    for (const packet of report.packets) await print(visible(packetText(packet, first)));
    await print('');
  }
  const { packets, passed, blocked, ignored } = report;
  await print(`${packets.length} packets: ${passed} pass, ${blocked} blocked, ${ignored} not looked at`);
  await print('');
  await printTotals(report.rules);
  for (const rule of report.untouched) await print(`no packet matched ${ruleText(rule)}`);
  for (const { rule, by } of report.shadowed)
    await print(`${ruleText(rule)} never decides: ${ruleText(by)} always does in its place`);
}

async function printTotals(rules: readonly RuleTotals[]): Promise<void> {
  if (rules.length === 0) {
    await print('no rules: everything passes');
    return;
  }
  await print('evaluations    packets      bytes  states  line  rule');
  for (const { evaluations, packets, bytes, states, line, text } of rules) {
    const cells = [
      String(evaluations).padStart(11),
      String(packets).padStart(10),
      String(bytes).padStart(10),
      String(states).padStart(7),
      String(line).padStart(5),
    ];
    await print(visible(`${cells.join(' ')}  ${text}`));
  }
}

async function printChanges(
  report: WhatIfReport,
  other: WhatIfReport,
  changes: readonly VerdictChange[],
): Promise<void> {
  const first = BigInt(report.packets[0]?.time ?? 0);
  for (const { before, after } of changes) {
    await print(visible(packetText(after, first)));
    await print(visible(`${' '.repeat(18)}before: ${before.verdict}, ${reasonText(before)}`));
  }
  const count = changes.length;
  await print(
    `${count} of ${report.packets.length} packets fare otherwise under ${report.file} than under ${other.file}`,
  );
}
