/**
 * Ethernet II and IEEE 802.3 frames, VLAN tags and LLC as tcpdump prints them.
 */
import { printArp } from './arp.ts';
import {
  ETHERTYPE_8021AD,
  ETHERTYPE_8021Q,
  ETHERTYPE_ARP,
  ETHERTYPE_IP,
  ETHERTYPE_QINQ,
  ETHERTYPE_SLOW,
  etherTypeText,
} from './ethertype.ts';
import { printIp } from './ip.ts';
import { hex } from './printer.ts';
import type { Printer } from './printer.ts';
import { printSlow } from './slow.ts';
import { printStp } from './stp.ts';
import { printUnknown } from './unknown.ts';
import type { View } from './view.ts';

const HEADER = 14;
const TAG = 4;
/** Up to here the type field is a length (IEEE 802.3). */
const LONGEST = 1500;
const TAGS = [ETHERTYPE_8021Q, ETHERTYPE_8021AD, ETHERTYPE_QINQ, 0x9200];

/** A VLAN tag: `vlan 7, p 0`. */
function tagText(tag: number): string {
  return `vlan ${tag & 0xfff}, p ${tag >>> 13}${(tag & 0x1000) === 0 ? '' : ', DEI'}`;
}

/** Prints what an EtherType says; false if there is no printer for it. */
export function printEtherType(p: Printer, type: number, payload: View): boolean {
  switch (type) {
    case ETHERTYPE_IP:
      printIp(p, payload);
      return true;
    case ETHERTYPE_ARP:
      printArp(p, payload);
      return true;
    case ETHERTYPE_SLOW:
      printSlow(p, payload);
      return true;
    default:
      return false;
  }
}

/** Prints a frame; returns the bytes of its headers. */
export function printEthernet(p: Printer, frame: View): number {
  p.protocol = 'ether';
  frame.need(HEADER);
  const { ether, quiet } = p.style;
  const addresses = `${frame.mac(6)} > ${frame.mac(0)}, `;
  if (ether) p.print(addresses);
  let header = HEADER;
  let type = frame.u16(12);
  let told = false;
  /** The length of the whole frame follows the first type only. */
  const tell = (): void => {
    p.print(told ? ', ' : `, length ${frame.length}: `);
    told = true;
  };
  while (TAGS.includes(type)) {
    if (!frame.has(header, TAG)) {
      p.protocol = 'vlan';
      p.print(' [|vlan]');
      return frame.captured;
    }
    if (ether) {
      p.print(etherTypeText(type, quiet));
      tell();
      p.print(`${tagText(frame.u16(header))}, `);
    }
    type = frame.u16(header + 2);
    header += TAG;
  }
  const payload = frame.after(header);
  if (type <= LONGEST) return header + printLengthFrame(p, payload.first(type));
  if (ether) {
    p.print(etherTypeText(type, quiet));
    tell();
  }
  if (printEtherType(p, type, payload)) return header;
  if (!ether) p.print(`${addresses}${etherTypeText(type, quiet)}, length ${frame.length}: `);
  printUnknown(p, payload);
  return header;
}

const SAP_STP = 0x42;
const SAP_SNAP = 0xaa;
const UI = 0x03;
const SAPS = new Map([
  [0x00, 'Null'],
  [0x02, 'Global'],
  [0x04, '802.1B I'],
  [0x05, '802.1B G'],
  [0x06, 'IP'],
  [0x0e, 'ProWay NM'],
  [SAP_STP, 'STP'],
  [0x8e, 'ProWay ASM'],
  [SAP_SNAP, 'SNAP'],
  [0xe0, 'IPX'],
  [0xf0, 'NetBeui'],
  [0xfe, 'ISO CLNS'],
  [0xff, 'Global'],
]);

/** IEEE 802.3: a length in place of the type, then LLC (IEEE 802.2). Returns the bytes of LLC's header. */
function printLengthFrame(p: Printer, payload: View): number {
  p.protocol = 'llc';
  if (p.style.ether) p.print(`802.3, length ${payload.length}: `);
  const [dsap, ssap, control] = [payload.u8(0), payload.u8(1), payload.u8(2)];
  const short = (control & 3) === 3;
  const bytes = short ? 3 : 4;
  if (p.style.ether || !(dsap === SAP_STP && ssap === SAP_STP && control === UI)) {
    const sap = (value: number): string =>
      `${SAPS.get(value & 0xfe) ?? 'Unknown'} (0x${hex(value & 0xfe, 2)})`;
    const code = short ? hex(control, 2) : hex(control | (payload.u8(3) << 8), 4);
    p.print(`LLC, dsap ${sap(dsap)} ${(dsap & 1) === 0 ? 'Individual' : 'Group'}`);
    p.print(`, ssap ${sap(ssap)} ${(ssap & 1) === 0 ? 'Command' : 'Response'}, ctrl 0x${code}: `);
  }
  if (dsap === SAP_STP && ssap === SAP_STP && control === UI) printStp(p, payload.after(bytes));
  else printUnknown(p, payload);
  return bytes;
}
