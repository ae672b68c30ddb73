/**
 * What `stackscope top` does beside the commands of a lab: looks at its anatomy once per interval and shows what happened since the look before.
 */
import { sleepNs } from '../../stack/runtime/timers.ts';
import { readAnatomy } from '../lab/anatomy.ts';
import { anatomyRates } from '../lab/anatomy-rates.ts';
import type { AnatomyRates } from '../lab/anatomy-rates.ts';
import type { RunningLab } from '../lab/lab.ts';
import type { Interruption } from './interrupt.ts';
import type { LabWork } from './lab-session.ts';
import { captureComplaint, sinkOf, writeOut } from './reporter.ts';
import type { Reporter } from './reporter.ts';
import { openScreen } from './screen.ts';
import { anatomyLines } from './top-text.ts';

export interface TopOptions {
  /** ns of the lab's clock. */
  readonly interval: number;
  readonly json: boolean;
  readonly time: 'real' | 'virtual';
}

/** Where pictures go. */
interface Display {
  show(rates: AnatomyRates): Promise<void>;
  close(): void;
}

/** The work of a run of `top`. */
export function topWork(options: TopOptions): LabWork {
  return {
    reporter: lateReporter(),
    async beside(lab, interruption, signal) {
      const display = openDisplay(lab, options, interruption);
      try {
        await watch(lab, options.interval, display, signal);
      } finally {
        display.close();
      }
    },
  };
}

async function watch(
  lab: RunningLab,
  interval: number,
  display: Display,
  signal: AbortSignal,
): Promise<void> {
  let before = readAnatomy(lab);
  for (;;) {
    await sleepNs(interval, signal);
    // A node that has ended has no stacks to look at.
    if (signal.aborted) return;
    const after = readAnatomy(lab);
    await display.show(anatomyRates(before, after));
    before = after;
  }
}

function openDisplay(lab: RunningLab, { json, time }: TopOptions, interruption: Interruption): Display {
  const out = (text: string): Promise<void> => writeOut(process.stdout, text).catch(() => undefined);
  if (json) return { show: (rates) => out(`${JSON.stringify(rates)}\n`), close: () => undefined };
  const lines = (rates: AnatomyRates): string[] => anatomyLines(lab.lab.name, time, rates);
  if (!process.stdout.isTTY)
    return { show: (rates) => out(`${lines(rates).join('\n')}\n\n`), close: () => undefined };
  const screen = openScreen(process.stdout, process.stdin, () => interruption.request());
  return {
    show(rates) {
      screen.draw(lines(rates));
      return Promise.resolve();
    },
    close: () => screen.close(),
  };
}

/** Most characters that are kept of what goes wrong. */
const MOST_TEXT = 65_536;

/** Keeps what would disturb the pictures and tells it at the end. */
function lateReporter(): Reporter {
  let kept = '';
  const keep = (text: string): void => {
    kept = `${kept}${text}`.slice(-MOST_TEXT);
  };
  const note = (text: string): void => keep(`stackscope: ${text}\n`);
  return {
    started: () => undefined,
    sink(_node, _command, stream) {
      const decoder = new TextDecoder();
      return sinkOf((data) => {
        if (stream === 'stderr') keep(decoder.decode(data, { stream: true }));
        return Promise.resolve();
      });
    },
    exit(node, command, status) {
      if (status !== 0) note(`'${node}: ${command}' ended with status ${status}`);
    },
    startupFailed: (node, line, status) =>
      note(`node ${node}: start-up line '${line}' ended with status ${status}`),
    capture(report) {
      const complaint = captureComplaint(report);
      if (complaint !== undefined) note(complaint);
    },
    replayed: () => undefined,
    stopped: () => void process.stderr.write(kept),
  };
}
