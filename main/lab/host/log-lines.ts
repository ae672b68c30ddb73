/** The nodes' system logs as a reader of all of them sees them. */
import type { LogLine } from '../../api/model.ts';
import type { LabNode } from '../../../stack/kernel/process.ts';
import type { LogEntry } from '../../../stack/kernel/syslog.ts';
import { SLOG } from '../../../stack/runtime/messages/severity.ts';

/** Lines shown at most; the logs themselves may hold more. */
const MOST_LINES = 5000;

/** The latest lines of these nodes, oldest first. */
export function logLines(nodes: Iterable<LabNode>): LogLine[] {
  const entries = [...nodes].flatMap(({ name, log }) => log.entries().map((entry) => ({ name, entry })));
  entries.sort((a, b) => a.entry.time - b.entry.time);
  return entries.slice(-MOST_LINES).map(({ name, entry }) => ({
    time: String(Math.round(entry.time)),
    node: name,
    severity: severityName(entry.severity),
    text: `${entry.source}: ${entry.text}`,
  }));
}

function severityName(severity: LogEntry['severity']): LogLine['severity'] {
  if (severity <= SLOG.error) return 'error';
  if (severity === SLOG.warning) return 'warning';
  if (severity === SLOG.notice) return 'notice';
  return severity === SLOG.info ? 'info' : 'debug';
}
