/**
 * How many packets of a capture `stackscope pf test` judges per second: connections one after the other, each with its state, under a rule set of a router; with reading the capture and
 * the report.
 */
import { Buffer } from 'node:buffer';
import type { PfEnvironment } from '../../../stack/filter/pf/environment.ts';
import { pfWhatIf } from '../../../main/lab/what-if/what-if.ts';
import { pcapHeader, pcapRecord } from '../../../stack/utilities/tcpdump/pcap-file.ts';
import { PF_ENVIRONMENT } from './pf-rules.ts';

export interface WhatIfJobOptions {
  readonly connections: number;
}

/** The clients are on the network of en0. */
const ENVIRONMENT: PfEnvironment = {
  ...PF_ENVIRONMENT,
  interfaces: [{ name: 'en0', addresses: [{ af: 'inet', address: '198.51.0.1', length: 16 }] }],
};
const EN10MB = 1;
const HEADERS = 54;
const [FIN, SYN, PUSH, ACK] = [1, 2, 8, 16];
/** Segments of data in each direction of a connection. */
const EXCHANGES = 8;
const DATA = 100;
const MICROSECONDS_APART = 50;

const RULES = `
scrub in all
block in log on en0
pass in quick on en0 inet proto icmp icmp-type echoreq keep state
pass in on en0 inet proto tcp from any to 10.0.0.0/8 port { 22 80 443 } flags S/SA keep state
pass in on en0 inet proto udp from any to 10.0.0.53 port domain keep state
block in quick on en0 from { 192.168.0.0/16 172.16.0.0/12 }
`;

/** A segment between client and server of a connection, as captured at en0. */
function segment(connection: number, outward: boolean, [seq, ack]: readonly [number, number], flags: number) {
  const length = (flags & PUSH) === 0 ? 0 : DATA;
  const frame = Buffer.alloc(HEADERS + length);
  const client = [198, 51, 100 + ((connection >> 8) & 63), connection & 255];
  const server = [10, 0, 0, 2];
  const ends = outward ? [...server, ...client] : [...client, ...server];
  frame.set([2, 0, 0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0x08, 0x00]);
  frame.set([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0, ...ends], 14);
  frame.writeUInt16BE(frame.length - 14, 16);
  frame.writeUInt16BE(outward ? 80 : 1024 + (connection >> 14), 34);
  frame.writeUInt16BE(outward ? 1024 + (connection >> 14) : 80, 36);
  frame.writeUInt32BE(seq, 38);
  frame.writeUInt32BE(ack, 42);
  frame.set([0x50, flags, 0x40, 0], 46);
  return frame;
}

/** The segments of a whole connection. */
function connectionFrames(connection: number): Buffer[] {
  const [client, server] = [1000, 5000];
  const frames = [
    segment(connection, false, [client, 0], SYN),
    segment(connection, true, [server, client + 1], SYN | ACK),
    segment(connection, false, [client + 1, server + 1], ACK),
  ];
  for (let i = 0; i < EXCHANGES; i++) {
    const [mine, other] = [client + 1 + i * DATA, server + 1 + i * DATA];
    frames.push(segment(connection, false, [mine, other], PUSH | ACK));
    frames.push(segment(connection, true, [other, mine + DATA], PUSH | ACK));
  }
  const [mine, other] = [client + 1 + EXCHANGES * DATA, server + 1 + EXCHANGES * DATA];
  frames.push(segment(connection, false, [mine, other], FIN | ACK));
  frames.push(segment(connection, true, [other, mine + 1], FIN | ACK));
  frames.push(segment(connection, false, [mine + 1, other + 1], ACK));
  return frames;
}

function capture(connections: number): Buffer {
  const frames = Array.from({ length: connections }, (_, i) => connectionFrames(i)).flat();
  const records = frames.map((bytes, i) => {
    const time = i * MICROSECONDS_APART;
    return pcapRecord({
      seconds: Math.floor(time / 1e6),
      microseconds: time % 1e6,
      length: bytes.length,
      bytes,
    });
  });
  return Buffer.concat([pcapHeader(EN10MB, 65_535), ...records]);
}

/** Packets per second. */
export async function whatIfJob({ connections }: WhatIfJobOptions): Promise<number> {
  const bytes = capture(connections);
  const start = performance.now();
  const report = await pfWhatIf({
    file: 'bench.conf',
    text: RULES,
    generation: '3.7',
    environment: ENVIRONMENT,
    capture: bytes,
    interface: 'en0',
    direction: 'both',
  });
  const seconds = (performance.now() - start) / 1000;
  if ('errors' in report) throw new Error(report.errors[0]!.message);
  const { packets, passed } = report;
  if (passed !== packets.length)
    throw new Error(`${packets.length - passed} of ${packets.length} packets do not pass`);
  return packets.length / seconds;
}
