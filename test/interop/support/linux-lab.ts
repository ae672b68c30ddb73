// What the tests against the Linux kernel share: addresses, what httpd sends, the wait for a TAP, and tshark as the judge of frames.
import { createHash } from 'node:crypto';
import { expect, vi } from 'vitest';
import { runProgram } from './lab-process.ts';

/** The kernel's end of the TAP. */
export const LINUX = '10.0.9.254';
/** The node on the link of the TAP. */
export const NEAR = '10.0.9.1';
/** The node behind it. */
export const FAR = '10.0.7.2';

/** What httpd sends for /bytes/N. */
export function pattern(count: number): Buffer {
  const bytes = Buffer.alloc(count);
  for (let i = 0; i < count; i++) bytes[i] = i % 251;
  return bytes;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** Resolves when the lab has made its TAP and switched it on. */
export async function tapAppears(): Promise<void> {
  const up = async (): Promise<void> =>
    expect(await runProgram('ip', 'addr', 'show', 'sscope0')).toContain(LINUX);
  await vi.waitFor(up, { timeout: 10_000, interval: 20 });
}

/** Makes Linux compute its checksums itself, for captures to show them. */
export async function turnOffloadOff(): Promise<void> {
  await runProgram('ethtool', '-K', 'sscope0', 'tx', 'off');
}

/**
 * What tshark lists of the frames of a capture that a display filter matches; it verifies checksums. What TCP carries counts as data, because tshark would
 * guess protocols by ports and put large bodies together; with `contents` it is looked at as well.
 */
export async function listFrames(capture: string, filter: string, contents?: 'contents'): Promise<string> {
  const validate = ['ip', 'tcp', 'udp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
  const asData = contents === undefined ? ['-d', 'tcp.port==0-65535,data'] : [];
  return runProgram('tshark', '-n', '-r', capture, ...validate, ...asData, '-Y', filter);
}

/**
 * Frames of a capture that are not as they should be: a malformed field, a checksum that is wrong or could not be verified, a protocol that nobody here
 * speaks, or an acknowledgement of data that the capture lacks.
 */
export async function badFrames(capture: string, contents?: 'contents'): Promise<string> {
  const isGood = (name: string): string => `${name}.checksum.status == "Good"`;
  // Linux writes a checksum of zero as its other form also in TCP (skb_checksum_help), where that is unusual but not wrong (RFC 1624).
  const isOtherZero = `ip.src == ${LINUX} && tcp.checksum == 0xffff && tcp.checksum_calculated == 0`;
  const filter = [
    '_ws.malformed || _ws.short || tcp.analysis.ack_lost_segment || !(arp || ip)',
    ...['ip', 'icmp', 'udp'].map((name) => `${name}.checksum.status == "Bad"`),
    ...['ip', 'icmp'].map((name) => `(${name} && !(${isGood(name)}))`),
    // ICMP errors quote pieces of others.
    `(tcp && !icmp && !(${isGood('tcp')}) && !(${isOtherZero}))`,
    `(udp && !icmp && !(${isGood('udp')}))`,
  ].join(' || ');
  return listFrames(capture, filter, contents);
}
