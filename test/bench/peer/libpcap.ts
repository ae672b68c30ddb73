/**
 * libpcap's own filter: tcpdump reads a file of many packets and writes those that pass nowhere. What it takes to start, and to read, counts as well: so the rate is that
 * of the difference to reading a short file, and reading is part of it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pcapHeader, pcapRecord } from '../../../stack/utilities/tcpdump/pcap-file.ts';
import { benchFrames } from '../jobs/bpf-frames.ts';
import type { Peer } from './peer.ts';
import { missingTools } from './tools.ts';
import type { Need } from './tools.ts';

export const LIBPCAP_NEEDS: readonly Need[] = [{ what: 'tcpdump', debianPackage: 'tcpdump' }];

const PACKETS = 2_000_000;
const CHUNK = 1000;
const EN10MB = 1;

export interface LibpcapPeer {
  /** Packets per second. */
  filter(expression: string): Promise<number>;
}

function writeCapture(path: string, packets: number): void {
  const record = (bytes: Uint8Array): Buffer =>
    pcapRecord({ seconds: 0, microseconds: 0, length: bytes.length, bytes });
  const chunk = Buffer.concat(benchFrames(CHUNK).map(record));
  const fd = openSync(path, 'w');
  writeSync(fd, pcapHeader(EN10MB, 65_535));
  for (let n = 0; n < packets; n += CHUNK) writeSync(fd, chunk);
  closeSync(fd);
}

function seconds(path: string, expression: string): number {
  const start = performance.now();
  execFileSync('tcpdump', ['-r', path, '-w', '/dev/null', expression], { stdio: 'ignore' });
  return (performance.now() - start) / 1000;
}

/** The filter of libpcap. */
export const libpcapPeer: Peer<LibpcapPeer> = {
  missing() {
    const missing = missingTools(LIBPCAP_NEEDS);
    if (missing !== undefined) return missing;
    return spawnSync('tcpdump', ['--version']).status === 0 ? undefined : 'tcpdump does not run';
  },
  open() {
    const folder = mkdtempSync(join(tmpdir(), 'stackscope-bpf-'));
    const [long, short] = [join(folder, 'long.pcap'), join(folder, 'short.pcap')];
    writeCapture(long, PACKETS);
    writeCapture(short, CHUNK);
    return Promise.resolve({
      filter: (expression) =>
        Promise.resolve((PACKETS - CHUNK) / (seconds(long, expression) - seconds(short, expression))),
      close: () => rmSync(folder, { recursive: true }),
    });
  },
};
