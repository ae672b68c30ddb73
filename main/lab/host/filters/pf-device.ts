/** The PF of a node as the window reaches it: the calls of /dev/pf, with what they tell in parts read whole. */
import type {
  PfControl,
  PfControlIn,
  PfControlOut,
  PfRuleInfo,
  PfStateInfo,
  PfTableInfo,
} from '../../../../stack/filter/pf/ioctl.ts';
import type { PfCall } from '../../../../stack/filter/pf/load.ts';
import type { PfPart, PfTableAddress } from '../../../../stack/filter/pf/ruleset.ts';
import type { StackPort } from '../../../../stack/kernel/process.ts';
import { control } from '../../../../stack/kernel/stack-client.ts';
import { ERRNO, SystemError } from '../../../../stack/runtime/messages/errno.ts';

/** Rules, addresses and states asked for in one call. */
const RULES_IN_CALL = 256;
const ADDRESSES_IN_CALL = 1000;
const STATES_IN_CALL = 1000;
/** Anchors within anchors that are looked into. */
const DEEPEST = 16;

/** The module that is PF for a stack. */
export function pfModule({ variant }: StackPort): string {
  return variant === 'io-pkt-v6-hc' ? 'lsm-pf-v6' : 'lsm-pf-v4';
}

/** Whether a call failed because PF is not loaded. */
export function isAbsent(error: unknown): boolean {
  return error instanceof SystemError && (error.errno === ERRNO.ENXIO || error.errno === ERRNO.ENOTTY);
}

export class PfDevice {
  readonly call: PfCall;

  constructor(port: StackPort) {
    const file = pfModule(port);
    this.call = async <N extends PfControl>(command: N, data: PfControlIn<N>): Promise<PfControlOut<N>> => {
      const { reply } = await control(port.address, 'MODULE_CONTROL', { file, command, data });
      // The module answers each call as the table of calls says.
      return reply as PfControlOut<N>;
    };
  }

  /** Rules of a list, at most so many; and how many there are. */
  async rules(
    anchor: string,
    part: PfPart,
    most: number,
  ): Promise<{ readonly total: number; readonly rules: readonly PfRuleInfo[] }> {
    const rules: PfRuleInfo[] = [];
    for (;;) {
      const count = Math.min(RULES_IN_CALL, most - rules.length);
      const answer = await this.call('DIOCGETRULES', { anchor, part, first: rules.length, count });
      rules.push(...answer.rules);
      if (answer.rules.length === 0 || rules.length >= Math.min(answer.total, most))
        return { total: answer.total, rules };
    }
  }

  /** Paths of all anchors, the main rule set '' first. */
  async anchors(): Promise<readonly string[]> {
    const found = [''];
    for (let at = 0; at < found.length; at++) {
      const above = found[at]!;
      if (above.split('/').length > DEEPEST) continue;
      const { names } = await this.call('DIOCGETRULESETS', { anchor: above });
      found.push(...names.map((name) => (above === '' ? name : `${above}/${name}`)));
    }
    return found;
  }

  /** The tables of an anchor that are there. */
  async tables(anchor: string): Promise<readonly PfTableInfo[]> {
    return (await this.call('DIOCRGETTSTATS', { anchor })).filter(({ active }) => active);
  }

  async tableAddresses(anchor: string, table: string): Promise<readonly PfTableAddress[]> {
    const all: PfTableAddress[] = [];
    for (;;) {
      const first = all.length;
      const answer = await this.call('DIOCRGETASTATS', { anchor, table, first, count: ADDRESSES_IN_CALL });
      for (const { cleared: _cleared, traffic: _traffic, ...address } of answer.addresses) all.push(address);
      if (answer.addresses.length === 0 || all.length >= answer.total) return all;
    }
  }

  /** States in the order in which they were made, at most so many; and how many there are. */
  async states(most: number): Promise<{ readonly total: number; readonly states: readonly PfStateInfo[] }> {
    const states: PfStateInfo[] = [];
    for (;;) {
      const after = states.at(-1)?.id;
      const count = Math.min(STATES_IN_CALL, most - states.length);
      const answer = await this.call('DIOCGETSTATES', { count, ...(after !== undefined && { after }) });
      states.push(...answer.states);
      if (answer.states.length < count || states.length >= most) return { total: answer.total, states };
    }
  }
}
