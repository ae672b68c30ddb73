/** What `pfctl -s info`, `-s timeouts`, `-s memory` and `-s Interfaces` print. */
import { PF_LIMIT_COUNTERS, PF_REASONS } from '../../filter/pf/ioctl.ts';
import type { PfControlOut, PfStatus } from '../../filter/pf/ioctl.ts';
import { PF_LIMITS, PF_TIMEOUTS } from '../../filter/pf/ruleset.ts';
import type { PfGeneration } from '../../filter/pf/ruleset.ts';
import type { Session } from './session.ts';
import { counterLine, daysText, trafficLine } from './text.ts';

const UNLIMITED = 0;

/** `-s info`. */
export function statusLines(session: Session, status: PfStatus): string[] {
  const { seconds } = status;
  const running = `Status: ${status.enabled ? 'Enabled' : 'Disabled'} for ${daysText(seconds)}`;
  const debug = `Debug: ${status.debug.charAt(0).toUpperCase()}${status.debug.slice(1)}`;
  const hostid = session.generation === '3.7' || session.verbose > 0;
  return [
    running.padEnd(44) + debug.padStart(15),
    '',
    ...(hostid ? [`Hostid: 0x${status.hostid.toString(16).padStart(8, '0')}`, ''] : []),
    ...interfaceLines(status),
    `${'State Table'.padEnd(27)} ${'Total'.padStart(14)} ${'Rate'.padStart(16)}`,
    entriesLine(status.states),
    counterLine('searches', status.search, seconds),
    counterLine('inserts', status.insert, seconds),
    counterLine('removals', status.removals, seconds),
    ...(session.verbose > 0 ? sourceLines(status) : []),
    'Counters',
    ...PF_REASONS.map((reason) => counterLine(reason, status.reasons[reason], seconds)),
    ...(session.verbose > 0 ? limitLines(status) : []),
  ];
}

function entriesLine(count: number): string {
  return `  ${'current entries'.padEnd(25)} ${String(count).padStart(14)}`;
}

function sourceLines(status: PfStatus): string[] {
  const { seconds } = status;
  return [
    'Source Tracking Table',
    entriesLine(status.sourceNodes),
    counterLine('searches', status.sourceSearch, seconds),
    counterLine('inserts', status.sourceInsert, seconds),
    counterLine('removals', status.sourceRemovals, seconds),
  ];
}

function limitLines({ limitCounters, seconds }: PfStatus): string[] {
  return [
    'Limit Counters',
    ...PF_LIMIT_COUNTERS.map((name) => counterLine(name, limitCounters[name], seconds)),
  ];
}

function interfaceLines({ logInterface }: PfStatus): string[] {
  if (!logInterface) return [];
  const { name, bytes, passed, blocked } = logInterface;
  // IPv6 is not filtered here: its column stays at 0.
  const row = (indent: string, what: string, value: number): string =>
    `${indent}${what.padEnd(27 - indent.length)} ${String(value).padStart(14)} ${'0'.padStart(16)}`;
  return [
    `Interface Stats for ${name.padEnd(16)} ${'IPv4'.padStart(5)} ${'IPv6'.padStart(16)}`,
    row('  ', 'Bytes In', bytes.in),
    row('  ', 'Bytes Out', bytes.out),
    '  Packets In',
    row('    ', 'Passed', passed.in),
    row('    ', 'Blocked', blocked.in),
    '  Packets Out',
    row('    ', 'Passed', passed.out),
    row('    ', 'Blocked', blocked.out),
    '',
  ];
}

/** `-s timeouts`. */
export function timeoutLines(timeouts: PfControlOut<'DIOCGETTIMEOUTS'>): string[] {
  return PF_TIMEOUTS.map((name) => {
    const unit = name.startsWith('adaptive.') ? ' states' : 's';
    return `${name.padEnd(20)} ${String(timeouts[name]).padStart(10)}${unit}`;
  });
}

/** `-s memory`. */
export function limitsLines(limits: PfControlOut<'DIOCGETLIMITS'>, generation: PfGeneration): string[] {
  const old = generation === '3.7';
  const names = PF_LIMITS.filter((name) => !old || (name !== 'tables' && name !== 'table-entries'));
  return names.map((name) => {
    const limit = limits[name];
    const text = limit === UNLIMITED ? 'unlimited' : `hard limit ${String(limit).padStart(old ? 6 : 8)}`;
    return `${name.padEnd(old ? 10 : 13)} ${text}`;
  });
}

/** `-s Interfaces`. */
export function interfaceList(
  session: Session,
  interfaces: PfControlOut<'DIOCGETINTERFACES'>,
  cleared: (seconds: number) => string,
): string[] {
  const wanted = session.args.value('i');
  return interfaces
    .filter(({ name }) => wanted === undefined || name === wanted || name.replace(/\d+$/, '') === wanted)
    .flatMap((item) => {
      const head = item.name + (session.verbose > 0 && item.skip ? ' (skip)' : '');
      if (session.verbose < 2) return [head];
      const { traffic } = item;
      return [
        head,
        `\tCleared:     ${cleared(item.cleared)}`,
        `\tReferences:  [ States:  ${String(item.states).padEnd(18)} Rules: ${String(item.rules).padEnd(18)} ]`,
        trafficLine('In4/Pass:', traffic.inPass),
        trafficLine('In4/Block:', traffic.inBlock),
        trafficLine('Out4/Pass:', traffic.outPass),
        trafficLine('Out4/Block:', traffic.outBlock),
      ];
    });
}
