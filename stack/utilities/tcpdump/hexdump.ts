/**
 * Bytes as tcpdump's -x, -X and -A show them.
 */

const PER_LINE = 16;
/** Eight groups of two bytes, each with a blank in front. */
const HEX_WIDTH = 40;

function groups(bytes: Uint8Array): string {
  let text = '';
  bytes.forEach((byte, i) => {
    text += `${i % 2 === 0 ? ' ' : ''}${byte.toString(16).padStart(2, '0')}`;
  });
  return text;
}

function lines(bytes: Uint8Array, indent: string, line: (part: Uint8Array) => string): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PER_LINE) {
    const offset = at.toString(16).padStart(4, '0');
    text += `\n\t${indent}0x${offset}: ${line(bytes.subarray(at, at + PER_LINE))}`;
  }
  return text;
}

const isGraphic = (byte: number): boolean => byte > 0x20 && byte < 0x7f;

/** -x. */
export function hexLines(bytes: Uint8Array, indent = ''): string {
  return lines(bytes, indent, groups);
}

/** -X, and what is shown of protocols without a printer. */
export function hexAndAsciiLines(bytes: Uint8Array): string {
  return lines(bytes, '', (part) => {
    const ascii = String.fromCharCode(...[...part].map((byte) => (isGraphic(byte) ? byte : 0x2e)));
    return `${groups(part).padEnd(HEX_WIDTH)}  ${ascii}`;
  });
}

/** -A: text as it is, a carriage return in front of a line feed left out. */
export function asciiText(bytes: Uint8Array): string {
  let text = '\n';
  bytes.forEach((byte, i) => {
    if (byte === 0x0d && bytes[i + 1] === 0x0a) return;
    const shown = isGraphic(byte) || byte === 0x09 || byte === 0x20 || byte === 0x0a;
    text += shown ? String.fromCharCode(byte) : '.';
  });
  return text;
}
