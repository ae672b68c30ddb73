/** States and sources as `pfctl -s states` and `-s Sources` list them. */
import type { PfEndpoint, PfPeer, PfSourceNodeInfo, PfStateInfo } from '../../filter/pf/ioctl.ts';
import { TCP } from '../../filter/pf/protocols.ts';
import type { PfFamily } from '../../filter/pf/ruleset.ts';
import type { Session } from './session.ts';
import { clockText } from './text.ts';

/** Name of an address where -r asks for it. */
export type NameOf = (address: string) => string;

function endText({ address, port }: PfEndpoint, af: PfFamily, nameOf: NameOf): string {
  const name = nameOf(address);
  if (port === 0) return name;
  return af === 'inet' ? `${name}:${port}` : `${name}[${port}]`;
}

function windowText({ seqLow, seqHigh, seqDiff }: PfPeer): string {
  const window = `[${seqLow} + ${(seqHigh - seqLow) >>> 0}]`;
  return seqDiff === 0 ? window : `${window}(+${seqDiff})`;
}

/** Source and destination of a state in the order in which they are shown: our side first. */
function peersOf({ direction, source, destination }: PfStateInfo): [PfPeer, PfPeer] {
  return direction === 'out' ? [source, destination] : [destination, source];
}

function sequenceLine(state: PfStateInfo): string {
  const [first, second] = peersOf(state);
  const scaled = first.windowScale > 0 && second.windowScale > 0;
  const side = (peer: PfPeer): string => windowText(peer) + (scaled ? ` wscale ${peer.windowScale}` : '');
  return `   ${side(first)}  ${side(second)}`;
}

function countsLine(state: PfStateInfo): string {
  const { packets, bytes } = state;
  return [
    `   age ${clockText(state.age)}, expires in ${clockText(state.expires)}`,
    `, ${packets.forward}:${packets.backward} pkts, ${bytes.forward}:${bytes.backward} bytes`,
    state.anchorRule === undefined ? '' : `, anchor ${state.anchorRule}`,
    state.rule === undefined ? '' : `, rule ${state.rule}`,
    state.sourceTracked ? ', source-track' : '',
    state.sticky ? ', sticky-address' : '',
  ].join('');
}

/** The lines of one state. */
export function stateLines(session: Session, state: PfStateInfo, nameOf: NameOf): string[] {
  const { af, lan, gateway, external, protocol } = state;
  const arrow = state.direction === 'out' ? ' -> ' : ' <- ';
  const translated = lan.address !== gateway.address || lan.port !== gateway.port;
  const ends = [...(translated ? [lan] : []), gateway, external].map((end) => endText(end, af, nameOf));
  const name = session.machine.protocolName(protocol) ?? String(protocol);
  const lines = [`${state.interface} ${name} ${ends.join(arrow)}       ${state.state}`];
  if (session.verbose > 0 && protocol === TCP) lines.push(sequenceLine(state));
  if (session.verbose > 0) lines.push(countsLine(state));
  if (session.verbose > 1)
    lines.push(`   id: ${state.id} creatorid: ${state.creatorId.toString(16).padStart(8, '0')}`);
  return lines;
}

/** The lines of one source. */
export function sourceLines(session: Session, source: PfSourceNodeInfo, nameOf: NameOf): string[] {
  const { rate } = source;
  const perSeconds = rate
    ? `${(Math.floor((rate.count * 10) / 1) / 10).toFixed(1)}/${rate.seconds}s`
    : '0.0/0s';
  const target = nameOf(source.target ?? '0.0.0.0');
  const lines = [
    `${nameOf(source.address)} -> ${target} ( states ${source.states}, connections ${source.connections}, rate ${perSeconds} )`,
  ];
  if (session.verbose > 0) {
    const expires = source.states === 0 ? `, expires in ${clockText(source.expires)}` : '';
    const rule = source.rule === undefined ? '' : `, ${source.kind} rule ${source.rule}`;
    lines.push(
      `   age ${clockText(source.age)}${expires}, ${source.packets} pkts, ${source.bytes} bytes${rule}`,
    );
  }
  return lines;
}
