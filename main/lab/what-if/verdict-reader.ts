/**
 * Reads what PF decides about the packet that is being shown to it. Packets that PF sends meanwhile are others, and are not looked at.
 */
import { PF_REASONS } from '../../../stack/filter/pf/ioctl.ts';
import { PF_PARTS } from '../../../stack/filter/pf/ruleset.ts';
import { text4 } from '../../../stack/lsm/lsm-pf/address.ts';
import type { Outcome } from '../../../stack/lsm/lsm-pf/outcome.ts';
import type { Packet } from '../../../stack/lsm/lsm-pf/packet.ts';
import { stateRecords } from '../../../stack/lsm/lsm-pf/records.ts';
import { anchorOfRecord } from '../../../stack/lsm/lsm-pf/rule-index.ts';
import type { Rule } from '../../../stack/lsm/lsm-pf/rules.ts';
import { observeVerdicts } from '../../../stack/lsm/lsm-pf/verdicts.ts';
import { endsOf } from './answers.ts';
import type { Ends } from './answers.ts';
import type { PacketVerdict, RuleRef } from './report.ts';

type Verdict = Pick<PacketVerdict, 'verdict' | 'reason' | 'rule' | 'translation' | 'state' | 'translated'>;

function refOf(rule: Rule): RuleRef {
  const { action } = rule.source;
  const isFilter = action === 'pass' || action === 'block' || action === 'anchor';
  const part = isFilter ? 'filter' : (PF_PARTS.find((name) => name === action) ?? 'filter');
  return { part, anchor: anchorOfRecord(rule.record.ptr) ?? '', number: rule.number, line: rule.source.line };
}

function stateOf(ptr: number): { id: string; made: boolean } {
  const state = stateRecords.get(ptr);
  return { id: state.id.toString(16), made: state.packetsForward + state.packetsBackward === 1 };
}

/** Ends in words: `10.0.0.1:4000 -> 10.0.0.2:53`, without ports where there are none. */
export function endsText({ source, sourcePort, destination, destinationPort }: Ends): string {
  const end = (address: number, port: number): string =>
    port === 0 ? text4(address) : `${text4(address)}:${port}`;
  return `${end(source, sourcePort)} -> ${end(destination, destinationPort)}`;
}

export class VerdictReader {
  #seen: Verdict | undefined;
  #isOpen = false;
  /** Ends of the packet that is shown, and as PF has left them. */
  #before: Ends = NO_ENDS;
  #after: Ends = NO_ENDS;

  constructor() {
    observeVerdicts((packet, outcome) => {
      if (!this.#isOpen) return;
      this.#isOpen = false;
      this.#seen = this.#read(packet, outcome);
    });
  }

  /** A packet, which begins with its IP header, is about to be shown to PF. */
  begin(ip: Uint8Array): void {
    this.#isOpen = true;
    this.#seen = undefined;
    this.#before = endsOf(ip);
    this.#after = this.#before;
  }

  #read(packet: Readonly<Packet>, outcome: Readonly<Outcome>): Verdict {
    const { protocol, source, sourcePort, destination, destinationPort } = packet;
    if (outcome.pass) this.#after = { protocol, source, sourcePort, destination, destinationPort };
    return {
      verdict: outcome.pass ? 'pass' : 'block',
      ...(outcome.pass ? {} : { reason: PF_REASONS[outcome.reason] ?? 'match' }),
      ...(outcome.rule === undefined ? {} : { rule: refOf(outcome.rule) }),
      ...(outcome.nat === undefined ? {} : { translation: refOf(outcome.nat) }),
      ...(outcome.state === 0 ? {} : { state: stateOf(outcome.state) }),
      ...(this.isTranslated ? { translated: endsText(this.#after) } : {}),
    };
  }

  get isTranslated(): boolean {
    const [a, b] = [this.#before, this.#after];
    const isMoved = a.source !== b.source || a.destination !== b.destination;
    return isMoved || a.sourcePort !== b.sourcePort || a.destinationPort !== b.destinationPort;
  }

  /** Ends of the packet before and after. */
  get ends(): { readonly before: Ends; readonly after: Ends } {
    return { before: this.#before, after: this.#after };
  }

  /** What was decided. `passed`: PF has given the packet back. */
  take(passed: boolean): Verdict {
    this.#isOpen = false;
    if (this.#seen !== undefined) return this.#seen;
    if (passed) return { verdict: 'pass', reason: 'not filtered on this interface' };
    return { verdict: 'pass', reason: 'a fragment: held until the others are there' };
  }

  end(): void {
    observeVerdicts(undefined);
  }
}

const NO_ENDS: Ends = { protocol: 0, source: 0, sourcePort: 0, destination: 0, destinationPort: 0 };
