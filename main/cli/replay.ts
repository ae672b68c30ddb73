/**
 * `stackscope pcap replay`: sends the packets of a capture into a link of a lab.
 */
import { Command, InvalidArgumentError } from 'commander';
import { captureRecords } from '../capture/read.ts';
import type { LinkEnd, NormalLab, NormalLink } from '../lab/file/model.ts';
import type { ReplayResult } from '../lab/replay.ts';
import { EXIT_FAILED, usageFailure } from './failure.ts';
import { addLabOptions, collect, parseNodeCommand } from './lab-options.ts';
import type { LabOptionValues, NodeCommand } from './lab-options.ts';
import type { LabWork } from './lab-session.ts';

interface ReplayOptionValues extends LabOptionValues {
  readonly link: string;
  readonly end?: string;
  readonly speed: number;
  readonly then: readonly NodeCommand[];
}

const HELP = `
The lab starts, the --exec commands run, the packets are sent, the --then commands run, and the lab stops, or, with
--for, goes on until that much time has passed since its start. Only Ethernet packets are sent.

Exit status: as for run; 1 if nothing could be sent or the capture is damaged; 2 for a file that is no capture.

With --json the event after the last packet is: replayed {packets, bytes, otherLinkType, unfit, cut}.

Example:
  stackscope pcap replay pings.pcapng two-nodes.lab.yaml --link wire --end alpha:en0 --time virtual --speed 2 \\
    --then 'beta: netstat -s'`;

/** How long nodes get after the last packet has arrived, for their answers to be sent and captured, ns. */
const ANSWER_NS = 20e6;

/** The `pcap replay` verb. */
export function replayCommand(): Command {
  const command = new Command('replay')
    .description('send the packets of a capture into a link of a lab, with their own or scaled timing')
    .argument('<FILE>', 'capture file')
    .argument('<LAB.lab.yaml>', 'lab file')
    .requiredOption('--link <name>', 'link to send them into')
    .option(
      '--end <end>',
      'end of the link that they come from: NODE:IF, SWITCH:PORT, PORT, or its index from 0 (default: 0)',
    )
    .option(
      '--speed <factor>',
      '1: as captured, 2: twice as fast, 0: as fast as the link takes them',
      parseSpeed,
      1,
    )
    .option(
      '--then <NODE: COMMAND>',
      'run a command line after the last packet; repeatable',
      collect(parseNodeCommand),
      [],
    );
  return addLabOptions(command)
    .addHelpText('after', HELP)
    .action(async (file: string, lab: string, options: ReplayOptionValues) => {
      await refuseOthers(file);
      // Loaded here, as in `run`: the engine reserves its memory when it is imported.
      const { runLab } = await import('./lab-session.ts');
      process.exitCode = await runLab(lab, options, await replayWork(file, options));
    });
}

function parseSpeed(text: string): number {
  const speed = Number(text);
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return speed;
  throw new InvalidArgumentError('It must be a number such as 1, 0.5 or 2; 0 is as fast as possible.');
}

/** A file that is no capture is refused before the lab starts. */
async function refuseOthers(file: string): Promise<void> {
  for await (const record of captureRecords(file)) {
    if (record.kind !== 'problem') return;
    const { code, message } = record.problem;
    if (code === 'not-a-capture' || code === 'unreadable') throw usageFailure(`${file}: ${message}`);
    return;
  }
}

async function replayWork(file: string, options: ReplayOptionValues): Promise<LabWork> {
  const [{ replayCapture }, { noSuch }, { sleepNs }] = await Promise.all([
    import('../lab/replay.ts'),
    import('./lab-session.ts'),
    import('../../stack/runtime/timers.ts'),
  ]);
  let end = 0;
  return {
    inputs: [file],
    commands: options.then,
    check(lab) {
      const link = lab.links.find(({ name }) => name === options.link);
      if (link === undefined) {
        throw usageFailure(`stackscope: --link: ${noSuch('link', options.link, linkNames(lab))}`);
      }
      if (link.baud !== undefined)
        throw usageFailure(`stackscope: --link: ${link.name} is a serial line, which carries no frames`);
      end = endIndex(link, options.end ?? '0');
    },
    async run(lab, reporter, signal) {
      let damaged = false;
      const onProblem = ({ offset, message }: { offset: number; message: string }): void => {
        damaged = true;
        process.stderr.write(`${file} at byte ${offset}: ${message}\n`);
      };
      const link = lab.links.get(options.link)!;
      const result = await replayCapture(file, link, { end, speed: options.speed, signal, onProblem });
      await sleepNs(ANSWER_NS, signal);
      reporter.replayed(result, resultText(result, options.link));
      return damaged || result.packets === 0 ? EXIT_FAILED : 0;
    },
  };
}

function linkNames(lab: NormalLab): string[] {
  return lab.links.map(({ name }) => name);
}

function endIndex(link: NormalLink, text: string): number {
  const names = link.ends.map(endName);
  const index = /^\d{1,9}$/.test(text) ? Number(text) : names.indexOf(text);
  if (index >= 0 && index < names.length) return index;
  const known = names.map((name, number) => `${number} ${name}`).join(', ');
  throw usageFailure(`stackscope: --end: link ${link.name} has no end ${text}; its ends are: ${known}`);
}

function endName(end: LinkEnd): string {
  if (end.kind === 'node') return `${end.node}:${end.interface}`;
  return end.kind === 'switch' ? `${end.name}:${end.port}` : end.name;
}

function resultText({ packets, bytes, otherLinkType, unfit, cut }: ReplayResult, link: string): string {
  return [
    `sent ${packets} packets (${bytes} bytes) into link ${link}`,
    ...(cut > 0 ? [`${cut} of them cut short by the capture`] : []),
    ...(otherLinkType > 0 ? [`left out ${otherLinkType} that are not Ethernet`] : []),
    ...(unfit > 0 ? [`left out ${unfit} that are no Ethernet frames`] : []),
  ].join('; ');
}
