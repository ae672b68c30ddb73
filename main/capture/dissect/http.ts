/** HTTP/1 messages (RFC 9112): the start line and header fields that lie in one TCP segment. */
import { printable } from './text.ts';
import type { Dissection } from './tree.ts';

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;
/** Longest start line that is looked at. */
const MAXIMUM_LINE = 8192;

const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
  'PROPFIND',
  'NOTIFY',
  'SUBSCRIBE',
  'M-SEARCH',
];

/** @returns whether the bytes start like a request or a response, on whatever port. */
export function looksLikeHttp(packet: Dissection, at: number, end: number): boolean {
  const start = printable(packet.bytes, at, Math.min(end, at + 10));
  if (start.startsWith('HTTP/1.')) return true;
  if (!methods.some((method) => start.startsWith(`${method} `))) return false;
  const line = printable(packet.bytes, at, lineEnd(packet, at, end), MAXIMUM_LINE);
  return line.includes(' HTTP/1.') || lineEnd(packet, at, end) === end;
}

/** Where the line that starts at `at` ends, its CR LF not included. */
function lineEnd(packet: Dissection, at: number, end: number): number {
  const feed = packet.bytes.subarray(at, Math.min(end, at + MAXIMUM_LINE)).indexOf(LF);
  if (feed < 0) return end;
  return feed > 0 && packet.u8(at + feed - 1) === CR ? at + feed - 1 : at + feed;
}

function afterLine(packet: Dissection, stop: number, end: number): number {
  const next = packet.u8(stop) === CR ? stop + 2 : stop + 1;
  return Math.min(next, end);
}

export function dissectHttp(packet: Dissection, start: number, end: number): void {
  const layer = packet.layer('http', 'Hypertext Transfer Protocol', start, end - start);
  const firstEnd = lineEnd(packet, start, end);
  const first = printable(packet.bytes, start, firstEnd, 1024);
  const response = first.startsWith('HTTP/');
  layer.add(
    response ? 'response.line' : 'request.line',
    response ? 'Status line' : 'Request line',
    first,
    start,
    firstEnd - start,
  );
  packet.show({ protocol: 'HTTP', info: first });
  let at = afterLine(packet, firstEnd, end);
  while (at < end) {
    const stop = lineEnd(packet, at, end);
    if (stop === at) {
      at = afterLine(packet, stop, end);
      break;
    }
    addHeaderField(packet, layer.add.bind(layer), at, stop);
    at = afterLine(packet, stop, end);
  }
  layer.length = at - start;
  packet.data(at, end);
}

type AddField = (name: string, label: string, value: string, offset: number, length: number) => void;

function addHeaderField(packet: Dissection, add: AddField, at: number, stop: number): void {
  const colon = packet.bytes.subarray(at, stop).indexOf(COLON);
  if (colon < 0) {
    add('header', 'Header', printable(packet.bytes, at, stop), at, stop - at);
    return;
  }
  const name = printable(packet.bytes, at, at + colon);
  const value = printable(packet.bytes, at + colon + 1, stop).trim();
  add(name.toLowerCase(), name, value, at, stop - at);
}
