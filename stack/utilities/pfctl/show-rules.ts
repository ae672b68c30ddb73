/** Rules, labels, anchors and queues as `pfctl -s rules`, `-s nat`, `-s labels`, `-s Anchors` and `-s queue` list them. */
import { anchorPath } from '../../filter/pf/anchor-path.ts';
import type { PfControlOut, PfQueueInfo, PfRuleInfo } from '../../filter/pf/ioctl.ts';
import { printQueue } from '../../filter/pf/print-queue.ts';
import { printRule } from '../../filter/pf/print-rule.ts';
import { DEFAULT_QUEUE_LIMIT } from '../../filter/pf/queues.ts';
import type { PfPart } from '../../filter/pf/ruleset.ts';
import type { OpenSession } from './session.ts';

/** Rules that stand in braces have an anchor whose name nobody gave. */
function isUnnamed(anchor: string | undefined): anchor is string {
  return anchor !== undefined && /(^|\/)_\d+$/.test(anchor);
}

function counterLines(session: OpenSession, info: PfRuleInfo): string[] {
  if (session.verbose === 0) return [];
  const padded = (value: number, width: number): string => String(value).padEnd(width);
  const lines = [
    `  [ Evaluations: ${padded(info.evaluations, 8)}  Packets: ${padded(info.packets, 8)}  ` +
      `Bytes: ${padded(info.bytes, 10)}  States: ${padded(info.states, 6)}]`,
  ];
  if (session.verbose > 1) lines.push(`  [ Inserted: uid ${info.uid} pid ${info.pid} ]`);
  return lines;
}

async function partLines(
  session: OpenSession,
  anchor: string,
  part: PfPart,
  depth: number,
): Promise<string[]> {
  const lines: string[] = [];
  const indent = session.verbose > 0 ? '' : '  '.repeat(depth);
  for (const info of await session.device.rules(anchor, part, session.args.has('z'))) {
    const { rule } = info;
    const number = session.verbose > 1 ? `@${info.number} ` : '';
    const text = printRule(rule, session.machine, { generation: session.generation, part });
    const braces =
      part === 'filter' && rule.action === 'anchor' && (isUnnamed(rule.anchor) || session.recurse);
    lines.push(`${indent}${number}${text}${braces ? ' {' : ''}`, ...counterLines(session, info));
    if (!braces || rule.anchor === undefined) continue;
    const inner = anchorPath(anchor, rule.anchor.replace(/\/?\*$/, ''));
    lines.push(...(await partLines(session, inner, part, depth + 1)), `${indent}}`);
  }
  return lines;
}

/** `-s rules`: scrub rules, then filter rules. */
export async function ruleLines(session: OpenSession): Promise<string[]> {
  const scrub = await partLines(session, session.anchor, 'scrub', 0);
  return [...scrub, ...(await partLines(session, session.anchor, 'filter', 0))];
}

/** `-s nat`. */
export async function natLines(session: OpenSession): Promise<string[]> {
  const lines: string[] = [];
  for (const part of ['nat', 'rdr', 'binat'] as const) {
    lines.push(...(await partLines(session, session.anchor, part, 0)));
  }
  return lines;
}

/** `-s labels`: label, evaluations, packets, bytes. */
export async function labelLines(session: OpenSession): Promise<string[]> {
  const lines: string[] = [];
  for (const part of ['scrub', 'filter'] as const) {
    for (const info of await session.device.rules(session.anchor, part, session.args.has('z'))) {
      if (info.rule.label === undefined) continue;
      lines.push(`${info.rule.label} ${info.evaluations} ${info.packets} ${info.bytes}`);
    }
  }
  return lines;
}

/** `-s Anchors`: those below one, with -v those below them, too. */
export async function anchorLines(session: OpenSession, path = session.anchor): Promise<string[]> {
  const { names } = await session.device.call('DIOCGETRULESETS', { anchor: path });
  const lines: string[] = [];
  for (const name of names) {
    const full = path === '' ? name : `${path}/${name}`;
    if (!isUnnamed(name) || session.verbose > 0) lines.push(`  ${full}`);
    if (session.verbose > 0) lines.push(...(await anchorLines(session, full)));
  }
  return lines;
}

/** `-s queue`: each queue below its parent, with -v what went through it. */
export function queueLines(session: OpenSession, { queues }: PfControlOut<'DIOCGETALTQS'>): string[] {
  const wanted = session.args.value('i');
  const shown = queues.filter(({ queue }) => wanted === undefined || queue.interface === wanted);
  if (shown.length === 0) return ['No queue in use'];
  const below = (parent: string | undefined, on: string, depth: number): string[] =>
    shown
      .filter(({ queue }) => queue.parent === parent && queue.interface === on)
      .flatMap((info) => [...queueText(session, info, depth), ...below(info.queue.name, on, depth + 1)]);
  return [...new Set(shown.map(({ queue }) => queue.interface))].flatMap((on) => below(undefined, on, 0));
}

function queueText(session: OpenSession, info: PfQueueInfo, depth: number): string[] {
  const { queue } = info;
  const line = printQueue(queue, true, session.generation).trimEnd();
  const lines = [line.replace(/^queue /, `queue ${' '.repeat(depth)}`)];
  if (session.verbose === 0) return lines;
  const wide = (value: number, width: number): string => String(value).padStart(width);
  const borrowed =
    queue.scheduler === 'cbq'
      ? `  borrows: ${wide(info.borrows, 6)}  suspends: ${wide(info.suspends, 6)}`
      : '';
  lines.push(
    `  [ pkts: ${wide(info.packets, 10)}  bytes: ${wide(info.bytes, 10)}  ` +
      `dropped pkts: ${wide(info.droppedPackets, 6)} bytes: ${wide(info.droppedBytes, 6)} ]`,
    `  [ qlength: ${wide(info.length, 3)}/${wide(queue.qlimit ?? DEFAULT_QUEUE_LIMIT, 3)}${borrowed} ]`,
  );
  return lines;
}
