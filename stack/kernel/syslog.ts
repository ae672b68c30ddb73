/**
 * The system log of a node, as slogger keeps it on Neutrino: a bounded buffer of messages with severity, source and time, read by `sloginfo`.
 */
import { refreshNow } from '../runtime/clock.ts';
import type { Severity } from '../runtime/messages/severity.ts';

export interface LogEntry {
  /** ns of the lab's clock. */
  readonly time: number;
  readonly severity: Severity;
  /** Who wrote it: io-pkt-v4-hc, devnp-tap.so, qnet ... */
  readonly source: string;
  readonly text: string;
}

export interface SystemLog {
  write(severity: Severity, source: string, text: string): void;
  /** What is kept, oldest first. */
  entries(): readonly LogEntry[];
  clear(): void;
  /** Calls back for each new entry until the returned function is called. */
  follow(onEntry: (entry: LogEntry) => void): () => void;
  /** Entries written since the node was made, including those no longer kept. */
  written(): number;
}

const KEPT = 2000;

/** An empty log that keeps the latest `kept` entries. */
export function systemLog(kept = KEPT): SystemLog {
  let entries: LogEntry[] = [];
  let written = 0;
  const followers = new Set<(entry: LogEntry) => void>();
  return {
    write(severity, source, text) {
      const entry = { time: refreshNow(), severity, source, text };
      entries.push(entry);
      written++;
      // Trimmed in blocks, so that a full log costs a copy per many entries.
      if (entries.length >= kept * 2) entries = entries.slice(-kept);
      for (const follower of [...followers]) follower(entry);
    },
    entries: () => entries.slice(-kept),
    clear() {
      entries = [];
    },
    follow(onEntry) {
      followers.add(onEntry);
      return () => followers.delete(onEntry);
    },
    written: () => written,
  };
}
