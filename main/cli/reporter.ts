/**
 * What a run of a lab tells: plainly, the output of commands as it comes and nothing else on standard output; or as JSON, one object per line for every event.
 */
import type { Writable } from 'node:stream';
import { toBytes } from '../../stack/kernel/byte-stream.ts';
import type { ByteSink } from '../../stack/kernel/byte-stream.ts';
import { ERRNO, SystemError } from '../../stack/runtime/messages/errno.ts';
import { isVirtual } from '../../stack/runtime/clock.ts';
import { holdTimeFor } from '../../stack/runtime/outside.ts';
import type { CaptureFileReport } from '../lab/capture-file.ts';
import type { NormalLab } from '../lab/file/model.ts';

export type OutputStream = 'stdout' | 'stderr';

/** How a run ended. */
export interface Ending {
  readonly status: number;
  /** `done`: the commands, or the time, were over. */
  readonly reason: 'done' | 'interrupted';
  /** Lab time, s. */
  readonly time: number;
}

export interface Reporter {
  started(lab: NormalLab, clock: { readonly time: string; readonly seed: number }): void;
  /** Where a command's output goes; `command` is null for start-up lines. */
  sink(node: string, command: string | null, stream: OutputStream): ByteSink;
  /** A command ended; start-up lines are told of only when they fail. */
  exit(node: string, command: string, status: number): void;
  startupFailed(node: string, line: string, status: number): void;
  capture(report: CaptureFileReport): void;
  /** Packets were replayed: the counts, and the same in words. */
  replayed(counts: object, text: string): void;
  stopped(ending: Ending): void;
}

/**
 * Writes to a stream of this program. In real time the caller waits while the stream's reader is slow. In virtual time the lab's time does, and the caller goes on:
 * what the lab does must not depend on who reads. Rejects with EPIPE when the reader has gone.
 */
export function writeOut(stream: Writable, data: Uint8Array | string): Promise<void> {
  if (stream.errored !== null) return Promise.reject(new SystemError(ERRNO.EPIPE, 'write'));
  let failed = (_error: Error): void => undefined;
  let done = (): void => undefined;
  const flushed = stream.write(data, (error) => (error instanceof Error ? failed(error) : done()));
  if (flushed) return Promise.resolve();
  const written = new Promise<void>((resolve, reject) => {
    done = resolve;
    failed = () => reject(new SystemError(ERRNO.EPIPE, 'write'));
  });
  if (!isVirtual()) return written;
  holdTimeFor(written);
  return Promise.resolve();
}

export function sinkOf(write: (data: Uint8Array) => Promise<void>): ByteSink {
  return { isTerminal: false, write: (data) => write(toBytes(data)), end: () => undefined };
}

/** Why a file is not whole, for standard error; undefined if it is. */
export function captureComplaint({ file, packets, dropped, error }: CaptureFileReport): string | undefined {
  if (error !== undefined) return `cannot write ${file} further: ${error}; ${packets} packets were captured`;
  if (dropped === 0) return undefined;
  return `${file}: ${dropped} packets were dropped, because they came faster than they could be written`;
}

function complain(text: string): void {
  process.stderr.write(`stackscope: ${text}\n`);
}

/** @param idle the lab runs until Ctrl-C: the user is told so. */
export function plainReporter(idle: boolean): Reporter {
  return {
    started(lab) {
      if (!idle) return;
      const { nodes, links } = lab;
      complain(`${lab.name} is running (nodes: ${nodes.length}, links: ${links.length}); Ctrl-C stops it`);
    },
    sink(_node, command, stream) {
      // What start-up lines say on standard output is for consoles: it would stand in the way of the commands' output.
      if (command === null && stream === 'stdout') return sinkOf(() => Promise.resolve());
      return sinkOf((data) => writeOut(process[stream], data));
    },
    exit: () => undefined,
    startupFailed(node, line, status) {
      complain(`node ${node}: start-up line '${line}' ended with status ${status}`);
    },
    capture(report) {
      const complaint = captureComplaint(report);
      if (complaint !== undefined) complain(complaint);
    },
    replayed(_counts, text) {
      process.stdout.write(`${text}\n`);
    },
    stopped: () => undefined,
  };
}

export function jsonReporter(): Reporter {
  const line = (event: object): string => `${JSON.stringify(event)}\n`;
  const emit = (event: object): void => void process.stdout.write(line(event));
  const plain = plainReporter(false);
  return {
    started(lab, clock) {
      const [nodes, links] = [lab.nodes, lab.links].map((list) => list.map(({ name }) => name));
      emit({ event: 'started', lab: lab.name, ...clock, nodes, links });
    },
    sink(node, command, stream) {
      const decoder = new TextDecoder();
      return sinkOf((data) => {
        const text = decoder.decode(data, { stream: true });
        if (text === '') return Promise.resolve();
        return writeOut(process.stdout, line({ event: 'output', node, command, stream, text }));
      });
    },
    exit: (node, command, status) => emit({ event: 'exit', node, command, status }),
    startupFailed(node, command, status) {
      emit({ event: 'exit', node, command, status, startup: true });
      plain.startupFailed(node, command, status);
    },
    capture(report) {
      emit({ event: 'capture', ...report });
      plain.capture(report);
    },
    replayed: (counts) => emit({ event: 'replayed', ...counts }),
    stopped: (ending) => emit({ event: 'stopped', ...ending }),
  };
}
