// A hand on the cable of a node: the node's en0 is 10.0.0.1/24, ours is 10.0.0.2; en1 (10.1.0.1/24) leads to the node beyond, 10.1.0.2.
import { afterEach, beforeEach, expect } from 'vitest';
import type { RunningLab } from '../../../main/lab/lab.ts';
import { ETHERTYPE, Peer, arp, ether, ipv4, pass } from '../../support/frames.ts';
import type { Ipv4Fields, Parsed, ParsedIp } from '../../support/frames.ts';
import { labFrom, run, stopLab } from '../../support/lab.ts';
import type { CommandOutcome } from '../../support/lab.ts';

const LAB = `
name: neighbour
nodes:
  node:
    stack: io-pkt-v4-hc -ptcpip forward
    interfaces: [en0, en1]
    startup: [ifconfig en0 10.0.0.1/24 up, ifconfig en1 10.1.0.1/24 up]
  peer: { stack: io-pkt-v4, interfaces: [en0] }
  beyond:
    stack: io-pkt-v4
    interfaces: [en0]
    startup: [ifconfig en0 10.1.0.2/24 up, route add default 10.1.0.1]
links:
  wire: { between: [node:en0, peer:en0] }
  other: { between: [node:en1, beyond:en0] }
`;
export const NODE_MAC = '02:00:00:00:00:00';
export const MAC = '02:00:00:00:00:99';
export const NODE = '10.0.0.1';
export const ME = '10.0.0.2';
export const SECOND = 1e9;

export let lab: RunningLab;
export let peer: Peer;

/** Gives every test of a file a lab of its own, whose node knows us. */
export function useNeighbour(known = true): void {
  beforeEach(async () => {
    lab = await labFrom(LAB);
    peer = await Peer.at(lab, 'peer', 'wire', 1);
    if (known)
      peer.send(
        ether(NODE_MAC, MAC, ETHERTYPE.arp, arp({ op: 'request', senderMac: MAC, sender: ME, target: NODE })),
      );
    await pass(1000);
    peer.take();
  });
  afterEach(async () => {
    peer.leave();
    await stopLab(lab);
  });
}

/** An IPv4 frame from us to the node. */
export function frame(fields: Partial<Ipv4Fields> & Pick<Ipv4Fields, 'protocol' | 'payload'>): Buffer {
  return ether(NODE_MAC, MAC, ETHERTYPE.ip, ipv4({ source: ME, destination: NODE, ...fields }));
}

/** The IPv4 packets among frames; each has a good header checksum. */
export function packets(frames: readonly Parsed[]): ParsedIp[] {
  const list = frames.flatMap(({ ip }) => (ip === undefined ? [] : [ip]));
  for (const { checksumGood } of list) expect(checksumGood).toBe(true);
  return list;
}

export function onNode(line: string): Promise<CommandOutcome> {
  return run(lab, 'node', line);
}
