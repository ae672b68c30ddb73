/**
 * TCP options as tcpdump prints them.
 */
import { hex } from './printer.ts';
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

const EOL = 0;
const NOP = 1;
const MSS = 2;
const WSCALE = 3;
const SACK = 5;
const TIMESTAMPS = 8;
const NAMES = new Map([
  [EOL, 'eol'],
  [NOP, 'nop'],
  [MSS, 'mss'],
  [WSCALE, 'wscale'],
  [4, 'sackOK'],
  [SACK, 'sack'],
  [6, 'echo'],
  [7, 'echoreply'],
  [TIMESTAMPS, 'TS'],
  [11, 'cc'],
  [12, 'ccnew'],
  [13, 'ccecho'],
  [19, 'md5'],
  [20, 'scps'],
  [28, 'uto'],
  [29, 'tcp-ao'],
  [30, 'mptcp'],
  [34, 'tfo'],
  [254, 'exp'],
]);
/** Those whose value is a number, by its bytes. */
const NUMBERS = new Map([
  [MSS, 2],
  [WSCALE, 1],
  [6, 4],
  [7, 4],
  [11, 4],
  [12, 4],
  [13, 4],
]);

/** Prints the options that `options` holds; `origin` is what the numbers of selective acknowledgments count from. */
export function printTcpOptions(p: Printer, options: View, origin: number): void {
  p.print(', options [');
  let separator = '';
  for (let rest = options; rest.length > 0;) {
    const kind = rest.u8(0);
    p.print(separator);
    separator = ',';
    const length = kind === EOL || kind === NOP ? 1 : rest.u8(1);
    if (kind > NOP && (length < 2 || length > rest.length)) {
      p.print('bad opt]');
      return;
    }
    p.print(NAMES.get(kind) ?? `unknown-${kind}`);
    if (!printValue(p, kind, rest.first(length).after(2), origin)) {
      p.print('bad opt]');
      return;
    }
    if (kind === EOL) break;
    rest = rest.after(length);
  }
  p.print(']');
}

/** Prints the value of an option; false if it has not the length of its kind. */
function printValue(p: Printer, kind: number, value: View, origin: number): boolean {
  const width = NUMBERS.get(kind);
  if (width !== undefined) {
    if (value.length !== width) return false;
    p.print(` ${width === 1 ? value.u8(0) : width === 2 ? value.u16(0) : value.u32(0)}`);
  } else if (kind === SACK) printSack(p, value, origin);
  else if (kind === TIMESTAMPS) {
    if (value.length !== 8) return false;
    p.print(` val ${value.u32(0)} ecr ${value.u32(4)}`);
  } else if (!NAMES.has(kind) && value.length > 0) {
    p.print(` 0x${Array.from({ length: value.length }, (_, i) => hex(value.u8(i), 2)).join('')}`);
  }
  return true;
}

function printSack(p: Printer, value: View, origin: number): void {
  if (value.length % 8 !== 0) {
    p.print(' invalid sack');
    return;
  }
  p.print(` ${value.length / 8} `);
  for (let at = 0; at < value.length; at += 8) {
    const edge = (offset: number): number => (value.u32(offset) - origin) >>> 0;
    p.print(`{${edge(at)}:${edge(at + 4)}}`);
  }
}
