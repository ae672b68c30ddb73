/**
 * BPDUs of the spanning tree (IEEE 802.1D, 802.1w) as tcpdump prints them.
 */
import { bitNames, hex } from './printer.ts';
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

const VERSIONS = new Map([
  [0, '802.1d'],
  [2, '802.1w'],
  [3, '802.1s'],
  [4, '802.1aq'],
]);
const CONFIG = 0;
const RAPID = 2;
const CHANGE = 0x80;
const TYPES = new Map([
  [CONFIG, 'Config'],
  [RAPID, 'Rapid STP'],
  [CHANGE, 'Topology Change'],
]);
const FLAGS: readonly (readonly [number, string])[] = [
  [0x01, 'Topology change'],
  [0x02, 'Proposal'],
  [0x10, 'Learn'],
  [0x20, 'Forward'],
  [0x40, 'Agreement'],
  [0x80, 'Topology change ACK'],
];
const ROLES = ['Unknown', 'Alternate', 'Root', 'Designated'];

const bridgeId = (bpdu: View, at: number): string => `${hex(bpdu.u16(at), 4)}.${bpdu.mac(at + 2)}`;
const seconds = (bpdu: View, at: number): string => `${(bpdu.u16(at) / 256).toFixed(2)}s`;

/** Prints a BPDU; `bpdu` begins with its protocol identifier. */
export function printStp(p: Printer, bpdu: View): void {
  p.protocol = 'stp';
  bpdu.need(4);
  const [version, type] = [bpdu.u8(2), bpdu.u8(3)];
  if (bpdu.u16(0) !== 0) {
    p.print(`unknown STP version, length ${bpdu.length}`);
    return;
  }
  p.print(`STP ${VERSIONS.get(version) ?? `Unknown STP protocol (0x${hex(version, 2)})`}`);
  if (!VERSIONS.has(version)) return;
  p.print(`, ${TYPES.get(type) ?? `Unknown BPDU Type (0x${hex(type, 2)})`}`);
  if (type === CONFIG || type === RAPID) printConfiguration(p, bpdu);
}

function printConfiguration(p: Printer, bpdu: View): void {
  const flags = bpdu.u8(4);
  p.print(`, Flags [${bitNames(FLAGS, flags, ', ')}]`);
  p.print(`, bridge-id ${bridgeId(bpdu, 17)}.${hex(bpdu.u16(25), 4)}, length ${bpdu.length}`);
  if (p.style.verbose === 0) return;
  p.print(`\n\tmessage-age ${seconds(bpdu, 27)}, max-age ${seconds(bpdu, 29)}`);
  p.print(`, hello-time ${seconds(bpdu, 31)}, forwarding-delay ${seconds(bpdu, 33)}`);
  p.print(`\n\troot-id ${bridgeId(bpdu, 5)}, root-pathcost ${bpdu.u32(13)}`);
  if (bpdu.u8(3) === RAPID) p.print(`, port-role ${ROLES[(flags >>> 2) & 3]!}`);
}
