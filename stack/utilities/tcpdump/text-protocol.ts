/**
 * Protocols of lines of text over TCP (HTTP), as tcpdump prints them: the first line of a request or an answer, with -v all lines up to what is no text.
 */
import type { Printer } from './printer.ts';
import type { View } from './view.ts';

/** Words that begin a request or an answer. */
const HTTP_WORDS = new Set(
  (
    'GET PUT COPY HEAD LOCK MOVE POLL POST BCOPY BMOVE MKCOL TRACE LABEL MERGE DELETE SEARCH UNLOCK REPORT UPDATE NOTIFY BDELETE CONNECT ' +
    'OPTIONS CHECKIN PROPFIND CHECKOUT CCM_POST SUBSCRIBE PROPPATCH BPROPFIND BPROPPATCH UNCHECKOUT MKACTIVITY UNSUBSCRIBE RPC_CONNECT ' +
    'RPC_IN_DATA RPC_OUT_DATA'
  ).split(' '),
);
const ANSWER = /^HTTP\/1\.[01]$/;

/** The text of a line that begins at `at`, and where the next one begins: 0 if there is none, because the data ends or goes on with what is no text. */
interface Line {
  readonly text: string;
  readonly next: number;
}

const isText = (byte: number): boolean => (byte >= 0x20 && byte < 0x7f) || byte === 0x09;

/** Undefined if there is what is no text in it. */
function lineAt(bytes: Uint8Array, at: number): Line | undefined {
  let end = at;
  while (end < bytes.length && isText(bytes[end]!)) end++;
  const text = String.fromCharCode(...bytes.subarray(at, end));
  if (end === bytes.length) return { text, next: 0 };
  if (bytes[end] === 0x0a) return { text, next: end + 1 };
  return bytes[end] === 0x0d && bytes[end + 1] === 0x0a ? { text, next: end + 2 } : undefined;
}

/** Prints what HTTP has sent. */
export function printHttp(p: Printer, data: View): void {
  const { bytes, length } = data;
  const first = lineAt(bytes, 0);
  const word = first?.text.split(/[ \t]/)[0] ?? '';
  p.print('HTTP');
  const begins = first !== undefined && (HTTP_WORDS.has(word) || ANSWER.test(word));
  if (!begins) return;
  if (p.style.verbose === 0) {
    p.print(`: ${first.text}`);
    return;
  }
  p.print(`, length: ${length}`);
  for (let line: Line | undefined = first; line !== undefined;) {
    p.print(`\n\t${line.text}`);
    // A line without an end is one that was cut.
    if (line.next === 0) p.print(' [|http]');
    line = line.next === 0 || line.next >= bytes.length ? undefined : lineAt(bytes, line.next);
  }
}
