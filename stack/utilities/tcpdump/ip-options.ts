/**
 * The options of an IPv4 header as tcpdump prints them.
 */
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

const EOL = 0;
const NOP = 1;
const RECORD_ROUTE = 7;
const TIMESTAMP = 68;
const LOOSE_ROUTE = 131;
const STRICT_ROUTE = 137;
const ROUTER_ALERT = 148;
const NAMES = new Map([
  [EOL, 'EOL'],
  [NOP, 'NOP'],
  [RECORD_ROUTE, 'RR'],
  [TIMESTAMP, 'timestamp'],
  [130, 'security'],
  [LOOSE_ROUTE, 'LSRR'],
  [STRICT_ROUTE, 'SSRR'],
  [ROUTER_ALERT, 'RA'],
]);

/** Prints the options that `options` holds, with commas between. */
export function printIpOptions(p: Printer, options: View): void {
  let separator = '';
  for (let rest = options; rest.length > 0;) {
    const code = rest.u8(0);
    p.print(`${separator}${NAMES.get(code) ?? `unknown ${code}`}`);
    separator = ',';
    if (code === EOL) return;
    const length = code === NOP ? 1 : rest.u8(1);
    if (length === 0 || (code !== NOP && length < 2) || length > rest.length) {
      p.print(` [bad length ${length}]`);
      return;
    }
    if (code === RECORD_ROUTE || code === LOOSE_ROUTE || code === STRICT_ROUTE)
      printRoute(p, rest.first(length));
    else if (code === ROUTER_ALERT && length >= 4 && rest.u16(2) !== 0) p.print(` value ${rest.u16(2)}`);
    rest = rest.after(length);
  }
}

/** The addresses of a route; a caret stands in front of the one that is next. */
function printRoute(p: Printer, option: View): void {
  if (((option.length + 1) & 3) !== 0) p.print(` [bad length ${option.length}]`);
  const next = option.u8(2) - 1;
  if (((next + 1) & 3) !== 0 || next < 3) p.print(` [bad ptr ${option.u8(2)}]`);
  let separator = ' ';
  for (let at = 3; at + 4 <= option.length; at += 4) {
    p.print(`${separator}${p.host(option.u32(at))}`);
    separator = next > at ? ', ' : ' ^ ';
  }
}
