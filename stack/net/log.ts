/**
 * What a stack has to say in the system log of its node: lines wait in the one memory until thread 0, where the logs are, hands them on.
 */
import { breakLock } from '../memory/lock.ts';
import { getText, putText, region } from '../memory/memory.ts';
import { QUEUE_BYTES, dequeueAll, enqueue, nextRecord, queueAt } from '../memory/queue.ts';
import { slab } from '../memory/slab.ts';
import { struct } from '../memory/struct.ts';
import { ringBell } from '../runtime/messages/post.ts';
import type { Severity } from '../runtime/messages/severity.ts';

const SOURCE_BYTES = 32;
const TEXT_BYTES = 464;
const lineStruct = struct('logLine', {
  unused: 'ptr',
  nextpkt: 'ptr',
  stack: 'ptr',
  severity: 'u32',
  source: { bytes: SOURCE_BYTES },
  text: { bytes: TEXT_BYTES },
});
const lines = slab(lineStruct, 1024);
const waiting = queueAt(region('log lines', QUEUE_BYTES));

/** A line as it comes out. */
export interface StackLogLine {
  readonly stack: number;
  readonly severity: Severity;
  /** The module that wrote it; '' for the stack itself. */
  readonly source: string;
  readonly text: string;
}

/**
 * Writes a line for the system log, from any thread; one that is too long is cut. Lines for which there is no room are lost; `netstat -m` counts them as failures.
 * @param source the module whose line it is, such as devnp-vnic.so
 */
export function logStack(stack: number, severity: Severity, text: string, source = ''): void {
  const ptr = lines.alloc();
  if (ptr === 0) return;
  const line = lines.get(ptr);
  line.stack = stack;
  line.severity = severity;
  putText(line.source, SOURCE_BYTES, source);
  putText(line.text, TEXT_BYTES, text);
  enqueue(waiting, ptr);
  ringBell();
}

/** Thread 0: hands on the lines that wait, oldest first; says whether there were any. */
export function drainLog(visit: (line: StackLogLine) => void): boolean {
  let ptr = dequeueAll(waiting);
  const any = ptr !== 0;
  while (ptr !== 0) {
    const line = lines.get(ptr);
    const next = nextRecord(ptr);
    const { stack } = line;
    const severity = line.severity as Severity;
    visit({
      stack,
      severity,
      source: getText(line.source, SOURCE_BYTES),
      text: getText(line.text, TEXT_BYTES),
    });
    lines.free(ptr);
    ptr = next;
  }
  return any;
}

/** Frees the lock of the lines that a dead thread holds. */
export function breakLogLock(thread: number): void {
  breakLock(waiting.ptr, thread);
}
