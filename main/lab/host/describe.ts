/** A lab as windows draw it: what its file says, and of a running one what its interfaces are like at this moment. */
import { formatMac } from '../../capture/dissect/text.ts';
import type {
  InterfaceDescription,
  LabDescription,
  LinkEnd as ShownEnd,
  Position,
  RunState,
} from '../../api/model.ts';
import type { LinkEnd, NormalLab, NormalNode } from '../file/model.ts';
import type { RunningLab } from '../lab.ts';
import { hardwareAddress } from '../stack-keeper.ts';
import { linkImpairments } from './impairment-text.ts';
import { describeInterface, interfaceSignature, liveInterfaces, mix } from './live-interfaces.ts';

const ETHERMTU = 1500;

type LabParts = Pick<LabDescription, 'name' | 'nodes' | 'switches' | 'ports' | 'links'>;

/** @param running the lab while it runs. */
export function describeLab(lab: NormalLab, running: RunningLab | undefined): LabParts {
  const positions = new Map(lab.view.positions.map(({ name, x, y }) => [name, { x, y }]));
  const at = (name: string): { position?: Position } => {
    const position = positions.get(name);
    return position === undefined ? {} : { position };
  };
  return {
    name: lab.name,
    nodes: lab.nodes.map((node, index) => ({
      name: node.name,
      stack: node.variant,
      state: nodeState(node.name, running),
      interfaces:
        running === undefined
          ? interfacesAtRest(node, index)
          : liveInterfaces(running, node.name).map((ifp) => describeInterface(ifp)),
      ...at(node.name),
    })),
    switches: lab.switches.map(({ name }) => ({ name, ...at(name) })),
    ports: lab.ports.map(({ name, tap, address }) => ({
      name,
      kind: 'tap',
      device: tap,
      addresses: address === undefined ? [] : [`${address.ip}/${address.prefixLength}`],
      carrier: running?.ports.get(name)?.carrier() ?? false,
      ...at(name),
    })),
    links: lab.links.map((link) => ({
      name: link.name,
      ends: link.ends.map(shownEnd),
      impairments: linkImpairments(link),
      ...at(link.name),
    })),
  };
}

function nodeState(name: string, running: RunningLab | undefined): RunState {
  if (running === undefined) return 'stopped';
  if (running.isFaulted(name)) return 'faulted';
  // Somebody may have slain the only stack.
  return (running.nodes.get(name)?.stacks.size ?? 0) > 0 ? 'running' : 'stopped';
}

function interfacesAtRest(node: NormalNode, index: number): InterfaceDescription[] {
  return node.interfaces.map((name, unit) => ({
    name,
    mac: formatMac(hardwareAddress(index, unit), 0),
    up: false,
    carrier: false,
    addresses: [],
    mtu: ETHERMTU,
  }));
}

function shownEnd(end: LinkEnd): ShownEnd {
  return end.kind === 'node'
    ? { kind: 'node', name: end.node, interface: end.interface }
    : { kind: end.kind, name: end.name };
}

const STATE_NUMBERS: Readonly<Record<RunState, number>> = { running: 1, stopped: 2, faulted: 3 };

/** A number that changes whenever something that `describeLab` shows of a running lab does. */
export function liveSignature(running: RunningLab): number {
  let signature = 0;
  for (const name of running.nodes.keys()) {
    signature = mix(signature, STATE_NUMBERS[nodeState(name, running)]);
    for (const ifp of liveInterfaces(running, name)) signature = interfaceSignature(signature, ifp);
  }
  for (const port of running.ports.values()) signature = mix(signature, port.carrier() ? 1 : 0);
  return signature;
}
