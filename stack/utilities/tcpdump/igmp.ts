/**
 * IGMP (RFC 1112, 2236, 3376) as tcpdump prints it.
 */
import { hex, onesSum } from './printer.ts';
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

const QUERY = 0x11;
const REPORT_3 = 0x22;
const GROUP_TEXTS = new Map([
  [0x12, 'igmp v1 report'],
  [0x16, 'igmp v2 report'],
  [0x17, 'igmp leave'],
]);
/** In tenths of a second: what is not worth a word. */
const USUAL_RESPONSE_TIME = 100;
const MESSAGE = 8;
const QUERY_3 = 12;
const RECORDS = ['', 'is_in', 'is_ex', 'to_in', 'to_ex', 'allow', 'block'];

/** Prints a message of `length` bytes. */
export function printIgmp(p: Printer, message: View, length: number): void {
  p.protocol = 'igmp';
  if (p.style.quiet) {
    p.print('igmp');
    return;
  }
  const type = message.u8(0);
  const text = GROUP_TEXTS.get(type);
  if (type === QUERY) printQuery(p, message, length);
  else if (type === REPORT_3) printReport(p, message);
  else if (text !== undefined) {
    p.print(`${text} ${p.host(message.u32(4))}`);
    if (length !== MESSAGE) p.print(` [len ${length}]`);
  } else p.print(`igmp-${type}`);
  if (p.style.verbose > 0 && message.has(0, length)) {
    if (onesSum(message.bytes.subarray(0, length)) !== 0xffff)
      p.print(` bad igmp cksum ${hex(message.u16(2), 1)}!`);
  }
}

function printQuery(p: Printer, message: View, length: number): void {
  p.print('igmp query');
  const time = message.u8(1);
  if (length >= QUERY_3) {
    printQuery3(p, message);
    return;
  }
  p.print(time === 0 ? ' v1' : ' v2');
  if (time !== 0 && time !== USUAL_RESPONSE_TIME) p.print(` [max resp time ${time}]`);
  const group = message.u32(4);
  if (group !== 0) p.print(` [gaddr ${p.host(group)}]`);
  if (length !== MESSAGE) p.print(` [len ${length}]`);
}

/** A time in tenths of a second, which a byte from 128 on holds as a floating-point number. */
function responseTime(code: number): number {
  return code < 128 ? code : ((code & 15) | 16) << (((code >>> 4) & 7) + 3);
}

function printQuery3(p: Printer, message: View): void {
  p.print(' v3');
  const tenths = responseTime(message.u8(1));
  if (tenths !== USUAL_RESPONSE_TIME) {
    const seconds = Math.floor(tenths / 10) % 60;
    const long = `${Math.floor(tenths / 600)}m${seconds === 0 ? '' : `${seconds}s`}`;
    p.print(` [max resp time ${tenths < 600 ? `${(tenths / 10).toFixed(1)}s` : long}]`);
  }
  const group = message.u32(4);
  if (group === 0) return;
  p.print(` [gaddr ${p.host(group)}`);
  const sources = message.u16(10);
  if (sources > 0) p.print(sourceText(p, message.after(12), sources));
  p.print(']');
}

/** The sources of a group: all of them with -vv. */
function sourceText(p: Printer, list: View, count: number): string {
  if (p.style.verbose <= 1) return `, ${count} source(s)`;
  return ` {${Array.from({ length: count }, (_, i) => ` ${p.host(list.u32(4 * i))}`).join('')} }`;
}

function printReport(p: Printer, message: View): void {
  const records = message.u16(6);
  p.print(`igmp v3 report, ${records} group record(s)`);
  if (p.style.verbose === 0) return;
  let rest = message.after(MESSAGE);
  for (let i = 0; i < records; i++) {
    const sources = rest.u16(2);
    p.print(` [gaddr ${p.host(rest.u32(4))} ${RECORDS[rest.u8(0)] ?? `[v3-report-#${rest.u8(0)}]`}`);
    p.print(`${sourceText(p, rest.after(8), sources)}]`);
    rest = rest.after(8 + 4 * sources);
  }
}
