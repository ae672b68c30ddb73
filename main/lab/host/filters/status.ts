/** The PF of a node as the window shows it: rules with their counters, tables, queues, and why packets were dropped. */
import type { PfEnvironment } from '../../../../stack/filter/pf/environment.ts';
import { PF_REASONS } from '../../../../stack/filter/pf/ioctl.ts';
import type { PfQueueInfo, PfRuleInfo } from '../../../../stack/filter/pf/ioctl.ts';
import { DEFAULT_QUEUE_LIMIT, DEFAULT_QUEUE_PRIORITY } from '../../../../stack/filter/pf/queues.ts';
import { printRule } from '../../../../stack/filter/pf/print-rule.ts';
import type { PfGeneration, PfPart } from '../../../../stack/filter/pf/ruleset.ts';
import { maxRulesShown } from '../../../api/filter-model.ts';
import type { FilterQueue, FilterRule, FilterStatus, FilterTable } from '../../../api/filter-model.ts';
import type { PfDevice } from './pf-device.ts';

/** What PF itself says, without what the window knows of its rule sets. */
export type PfReading = Omit<FilterStatus, 'node' | 'paused' | 'fromWindow' | 'undo'>;

/** The order in which packets meet the lists. */
const SHOWN_PARTS: readonly PfPart[] = ['scrub', 'nat', 'binat', 'rdr', 'filter'];

/** A node without PF, or without a stack. */
export function emptyReading(state: 'off' | 'absent'): PfReading {
  return {
    state,
    generation: '3.7',
    seconds: 0,
    states: 0,
    stateLimit: 0,
    search: 0,
    insert: 0,
    removals: 0,
    reasons: [],
    rules: [],
    rulesTotal: 0,
    anchors: [],
    tables: [],
    queues: [],
  };
}

export async function readStatus(device: PfDevice, environment: PfEnvironment): Promise<PfReading> {
  const { call } = device;
  const status = await call('DIOCGETSTATUS', {});
  const { generation } = await call('DIOCGETGENERATION', {});
  const { states: stateLimit } = await call('DIOCGETLIMITS', {});
  const anchors = await device.anchors();
  const { enabled, seconds, states, search, insert, removals } = status;
  return {
    state: enabled ? 'enabled' : 'disabled',
    generation,
    seconds,
    states,
    stateLimit,
    search,
    insert,
    removals,
    reasons: PF_REASONS.map((name) => ({ name, packets: status.reasons[name] })),
    ...(await readRules(device, anchors, environment, generation)),
    anchors: anchors.filter((path) => path !== ''),
    tables: await readTables(device, anchors),
    queues: await readQueues(device),
  };
}

async function readRules(
  device: PfDevice,
  anchors: readonly string[],
  environment: PfEnvironment,
  generation: PfGeneration,
): Promise<Pick<FilterStatus, 'rules' | 'rulesTotal'>> {
  const shown: FilterRule[] = [];
  let rulesTotal = 0;
  for (const anchor of anchors) {
    for (const part of SHOWN_PARTS) {
      const { total, rules } = await device.rules(anchor, part, maxRulesShown - shown.length);
      rulesTotal += total;
      shown.push(...rules.map((info) => shownRule(info, anchor, part, environment, generation)));
    }
  }
  return { rules: shown, rulesTotal };
}

function shownRule(
  { number, rule, evaluations, packets, bytes, states, statesMade }: PfRuleInfo,
  anchor: string,
  part: PfPart,
  environment: PfEnvironment,
  generation: PfGeneration,
): FilterRule {
  return {
    part,
    anchor,
    number,
    line: rule.line,
    text: printRule(rule, environment, { generation, part }),
    action: rule.action,
    evaluations,
    packets,
    bytes,
    states,
    statesMade,
  };
}

async function readTables(device: PfDevice, anchors: readonly string[]): Promise<FilterTable[]> {
  const shown: FilterTable[] = [];
  for (const anchor of anchors) {
    for (const table of await device.tables(anchor)) {
      if (table.anchor !== anchor) continue;
      const { name, addresses, references, match, noMatch, persist } = table;
      shown.push({
        anchor,
        name,
        addresses,
        rules: references.rules,
        match,
        noMatch,
        persist,
        const: table.const,
      });
    }
  }
  return shown;
}

async function readQueues({ call }: PfDevice): Promise<FilterQueue[]> {
  const { queues } = await call('DIOCGETALTQS', {});
  const below = (parent: string | undefined, on: string, depth: number): FilterQueue[] =>
    queues
      .filter(({ queue }) => queue.parent === parent && queue.interface === on)
      .flatMap((info) => [shownQueue(info, depth), ...below(info.queue.name, on, depth + 1)]);
  const interfaces = new Set(queues.map(({ queue }) => queue.interface));
  return [...interfaces].flatMap((on) => below(undefined, on, 0));
}

function shownQueue(info: PfQueueInfo, depth: number): FilterQueue {
  const { queue, packets, bytes, droppedPackets, droppedBytes, length } = info;
  const { name, scheduler, priority, resolved, qlimit = DEFAULT_QUEUE_LIMIT, flags } = queue;
  const isShare = scheduler !== 'priq' && resolved !== undefined;
  return {
    name,
    interface: queue.interface,
    depth,
    scheduler,
    ...(isShare && { bandwidth: Math.round(resolved.bits) }),
    ...(scheduler !== 'hfsc' && { priority: priority ?? DEFAULT_QUEUE_PRIORITY }),
    default: flags.includes('default'),
    packets,
    bytes,
    droppedPackets,
    droppedBytes,
    length,
    limit: qlimit,
  };
}
