/**
 * The lines of a packet: its time, what its headers say, its bytes if they are asked for. Nothing else is needed than the bytes and what was printed before, so the
 * same is printed of packets from a device and from a file.
 */
import { asciiText, hexAndAsciiLines, hexLines } from './hexdump.ts';
import type { LinkType } from './link-types.ts';
import { Printer } from './printer.ts';
import type { PrintStyle } from './printer.ts';
import { packetTime } from './time-text.ts';
import type { TimeStyle } from './time-text.ts';
import { Truncated, View } from './view.ts';

/** A packet with its time. */
export interface TimedPacket {
  /** Since 1970. */
  readonly seconds: number;
  readonly microseconds: number;
  /** Bytes on the wire. */
  readonly length: number;
  /** Those that were captured. */
  readonly bytes: Uint8Array;
}

/** Bytes of packets: -x, -X, -A; given twice, with the link header. */
export interface ByteStyle {
  readonly form: 'none' | 'hex' | 'hexAndAscii' | 'ascii';
  readonly link: boolean;
}

const FORMS = {
  none: () => '',
  hex: (bytes: Uint8Array) => hexLines(bytes),
  hexAndAscii: hexAndAsciiLines,
  ascii: asciiText,
};

export interface LineStyle {
  readonly protocols: PrintStyle;
  readonly bytes: ByteStyle;
  readonly time: TimeStyle;
}

/** Makes the lines of packets of one link type, one after another. */
export function packetLines(linkType: LinkType, style: LineStyle): (packet: TimedPacket) => string {
  const p = new Printer(style.protocols);
  const time = packetTime(style.time);
  return (packet) => {
    const { bytes, form, link } = { bytes: packet.bytes, ...style.bytes };
    const front = time(packet);
    let header = 0;
    try {
      header = linkType.print(p, new View(bytes, packet.length));
    } catch (error) {
      if (!(error instanceof Truncated)) throw error;
      p.print(` [|${p.protocol}]`);
    }
    return `${front}${p.take()}${FORMS[form](link ? bytes : bytes.subarray(header))}\n`;
  };
}
