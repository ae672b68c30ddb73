/**
 * Packets handled in a whole lab: each interface that takes one in counts one.
 */
import { ifnets } from '../../../stack/net/ifnet.ts';
import { stacks } from '../../../stack/net/stack.ts';
import type { RunningLab } from '../../../main/lab/lab.ts';
import type { Meter } from './transfer.ts';

/** Counts what all interfaces of some nodes have taken in; default: of all nodes. */
export function handlingsOf(lab: RunningLab, nodes: Iterable<string> = lab.nodes.keys()): Meter {
  const names = [...nodes];
  return {
    get count() {
      let sum = 0;
      for (const name of names) {
        for (const { address } of lab.nodes.get(name)!.stacks.values()) {
          for (let ptr = stacks.get(address).interfaces; ptr !== 0; ptr = ifnets.get(ptr).next)
            sum += ifnets.get(ptr).ipackets;
        }
      }
      return sum;
    },
  };
}
