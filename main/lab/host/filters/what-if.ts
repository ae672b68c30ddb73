/** What-if for windows: a rule set that is being written over the live capture, or over a file that was opened. */
import { memorySink } from '../../../capture/sink.ts';
import { PcapngWriter } from '../../../capture/pcapng-writer.ts';
import type { PacketVerdict, RuleRef, WhatIfReport } from '../../what-if/report.ts';
import { compareVerdicts } from '../../what-if/compare.ts';
import type { FilterWhatIf, WhatIfPacket } from '../../../api/filter-model.ts';
import { maxWhatIfPackets } from '../../../api/filter-model.ts';
import type { RawPacket } from '../packet-ring.ts';

/** Packets as a capture file. */
export function captureOf(packets: Iterable<RawPacket>): Uint8Array {
  const { sink, contents } = memorySink();
  const writer = new PcapngWriter(sink, { application: 'Stackscope', littleEndian: true });
  const interfaces = new Map<string, number>();
  for (const { time, point, linkType, length, bytes } of packets) {
    const key = `${linkType} ${point}`;
    let interfaceId = interfaces.get(key);
    if (interfaceId === undefined) {
      interfaceId = writer.addInterface({ name: point, linkType });
      interfaces.set(key, interfaceId);
    }
    writer.writePacket({ interfaceId, time, data: bytes, originalLength: length });
  }
  writer.close();
  return contents();
}

function ruleText({ part, anchor, number, line }: RuleRef): string {
  const place = anchor === '' ? `@${number}` : `@${anchor}/${number}`;
  return `${part === 'filter' ? '' : `${part} `}${place}, line ${line}`;
}

function shownPacket(packet: PacketVerdict, number: number): WhatIfPacket {
  const { summary, direction, verdict, reason, rule, translation, state, translated } = packet;
  return {
    number,
    summary,
    direction,
    verdict,
    ...(reason === undefined ? {} : { reason }),
    ...(rule === undefined ? {} : { rule: ruleText(rule), line: rule.line }),
    ...(translation === undefined ? {} : { translation: ruleText(translation) }),
    ...(state === undefined ? {} : { state: `${state.made ? 'makes' : 'of'} state ${state.id}` }),
    ...(translated === undefined ? {} : { translated }),
  };
}

/**
 * A report as a window shows it.
 *
 * @param before that of the rules that are loaded; only packets that fare otherwise are listed then.
 * @param numbers what the list of the window calls the packets, in their order; default: as the capture counts them.
 */
export function shownReport(
  report: WhatIfReport,
  before: WhatIfReport | undefined,
  numbers: readonly number[] | undefined,
): FilterWhatIf {
  const changes = before === undefined ? undefined : compareVerdicts(before.packets, report.packets);
  const listed = changes?.map(({ after }) => after) ?? report.packets;
  return {
    problems: [],
    total: report.packets.length,
    passed: report.passed,
    blocked: report.blocked,
    ignored: report.ignored,
    listed: listed.length,
    packets: listed.slice(0, maxWhatIfPackets).map((packet, i) => ({
      ...shownPacket(packet, numbers?.[packet.number - 1] ?? packet.number),
      ...(changes === undefined ? {} : { before: changes[i]!.before.verdict }),
    })),
    rules: report.rules.map(({ text, line, evaluations, packets, bytes, states }) => ({
      text,
      line,
      evaluations,
      packets,
      bytes,
      states,
    })),
    untouched: report.untouched.map(ruleText),
    shadowed: report.shadowed.map(
      ({ rule, by }) => `${ruleText(rule)} never decides: ${ruleText(by)} always does`,
    ),
  };
}
